// Package ledger keeps, in the cluster, who works on a fleet and what was done
// to it: a lock and a journal.
package ledger

import (
	"context"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Ledger keeps a fleet's lock and journal in one namespace.
type Ledger struct {
	session *session.Session
	// makeNamespace makes the namespace of the journal.
	makeNamespace func(ctx context.Context, name string) error
	namespace     string
	// former is where earlier versions of this program kept the journal.
	former string
	fleet  string
	holder string
	// known is the journal while the lock is held.
	known memory
}

var _ rollout.Ledger = (*Ledger)(nil)

// New opens the ledger of a fleet. The holder names this client to others.
func New(s *session.Session, makeNamespace func(ctx context.Context, name string) error, namespace, fleet, holder string) *Ledger {
	return &Ledger{session: s, makeNamespace: makeNamespace, namespace: namespace, former: namespace, fleet: fleet, holder: holder}
}

// Formerly names the namespace where earlier versions of this program kept the
// journal.
func (l *Ledger) Formerly(namespace string) *Ledger {
	l.former = namespace
	return l
}

// Acquire takes the lock, waiting for a living holder. A holder is dead if it
// was a process of this machine that has ended, or if it has not renewed the
// lock for as long as that says, since we look. A journal that an earlier version
// of this program has written elsewhere is taken over.
//
// While it is held, nothing in this session writes without it.
func (l *Ledger) Acquire(ctx context.Context, report func(string)) (*rollout.Lock, error) {
	lock, err := l.lock(ctx, report, l.session.Fence())
	if err != nil {
		return nil, err
	}
	release := lock.Release
	lock.Release = func(ending rollout.Ending) {
		l.known.forget()
		release(ending)
	}
	if err := l.takeOver(ctx, report); err != nil {
		lock.Release(rollout.EndedUntold)
		return nil, err
	}
	return lock, nil
}

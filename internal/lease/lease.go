// Package lease judges, by one's own clock alone, how long a Lease is to be
// respected. The times in a Lease are those of its holder's clock, which may
// be wrong by hours, so they are compared with each other and never with ours:
// a Lease has expired when it was seen unchanged for its duration.
package lease

import (
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// Longest is for how long a Lease is respected at most, whatever it says:
// nobody stops others for days with one write.
const Longest = 2 * time.Minute

// Duration is for how long a Lease is to be respected after each change of it;
// 0 if it claims nothing.
func Duration(l *coordinationv1.Lease) time.Duration {
	if Holder(l) == "" {
		return 0
	}
	seconds := ptr.Deref(l.Spec.LeaseDurationSeconds, 0)
	return min(max(time.Duration(seconds)*time.Second, 0), Longest)
}

// Holder is who holds a Lease; empty if nobody does.
func Holder(l *coordinationv1.Lease) string { return ptr.Deref(l.Spec.HolderIdentity, "") }

// Observer remembers since when each Lease that it was shown is unchanged. It
// is safe for concurrent use.
type Observer struct {
	now func() time.Duration

	mutex sync.Mutex
	seen  map[types.NamespacedName]sight
}

// sight is what a Lease was like at its last change.
type sight struct {
	uid   types.UID
	spec  coordinationv1.LeaseSpec
	since time.Duration
	// renewed says that it was seen to change while the same holder had it.
	renewed bool
}

// NewObserver returns an observer with a clock that only goes forward: the time
// since any fixed moment. Usually that is Awake.
func NewObserver(now func() time.Duration) *Observer {
	return &Observer{now: now, seen: map[types.NamespacedName]sight{}}
}

// Remaining tells how much longer a Lease is to be respected, unless it changes;
// 0 if it has expired or claims nothing. A Lease that is shown for the first
// time is respected for its whole duration.
func (o *Observer) Remaining(l *coordinationv1.Lease) time.Duration {
	s, now := o.look(l)
	return max(Duration(l)-(now-s.since), 0)
}

// Renewed tells whether the Lease's present holder was seen to renew it, or to
// take it from another, and has not let it expire since. It is what proves that
// the holder lives.
func (o *Observer) Renewed(l *coordinationv1.Lease) bool {
	s, now := o.look(l)
	return s.renewed && now-s.since < Duration(l)
}

// Gone notes that there is no such Lease: if there is one later, somebody who
// lives has made it.
func (o *Observer) Gone(name types.NamespacedName) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.seen[name] = sight{}
}

// look notes what a Lease is like now.
func (o *Observer) look(l *coordinationv1.Lease) (sight, time.Duration) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	now := o.now()
	name := types.NamespacedName{Namespace: l.Namespace, Name: l.Name}
	s, known := o.seen[name]
	if !known || s.uid != l.UID || !equality.Semantic.DeepEqual(s.spec, l.Spec) {
		s = sight{uid: l.UID, spec: *l.Spec.DeepCopy(), since: now, renewed: known}
		o.seen[name] = s
	}
	return s, now
}

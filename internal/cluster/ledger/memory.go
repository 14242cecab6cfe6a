package ledger

import (
	"slices"
	"sync"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// memory is what a journal holds while nobody else may write it, so that a run
// reads it once. It is safe for concurrent use.
type memory struct {
	mutex     sync.Mutex
	held      bool
	revisions []rollout.Revision
}

// hold begins with what was read under the lock.
func (m *memory) hold(revisions []rollout.Revision) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.held, m.revisions = true, slices.Clone(revisions)
}

// forget is for when others may write again.
func (m *memory) forget() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.held, m.revisions = false, nil
}

// list returns the revisions, if they are known.
func (m *memory) list() (revisions []rollout.Revision, held bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.revisions), m.held
}

// saved takes in a revision that was written.
func (m *memory) saved(r rollout.Revision) {
	m.change(r.Number, &r)
}

// deleted takes one out.
func (m *memory) deleted(number int) { m.change(number, nil) }

func (m *memory) change(number int, r *rollout.Revision) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.held {
		return
	}
	m.revisions = slices.DeleteFunc(m.revisions, func(have rollout.Revision) bool { return have.Number == number })
	if r != nil {
		m.revisions = append(m.revisions, *r)
		slices.SortFunc(m.revisions, byNumber)
	}
}

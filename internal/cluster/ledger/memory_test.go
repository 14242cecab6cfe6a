package ledger

import (
	"slices"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func numbers(m *memory) (out []int, held bool) {
	revisions, held := m.list()
	for _, r := range revisions {
		out = append(out, r.Number)
	}
	return out, held
}

func TestAJournalIsKnownWhileNobodyElseWritesIt(t *testing.T) {
	m := &memory{}
	m.saved(rollout.Revision{Number: 9})
	if _, held := numbers(m); held {
		t.Error("without the lock something is known")
	}
	m.hold([]rollout.Revision{{Number: 2}, {Number: 3}})
	m.saved(rollout.Revision{Number: 4, Status: rollout.RevisionRunning})
	m.saved(rollout.Revision{Number: 4, Status: rollout.RevisionDone})
	m.deleted(2)
	got, held := numbers(m)
	if !held || !slices.Equal(got, []int{3, 4}) {
		t.Errorf("known: %v, %v", got, held)
	}
	revisions, _ := m.list()
	if revisions[1].Status != rollout.RevisionDone {
		t.Errorf("the last one is %+v", revisions[1])
	}
	m.forget()
	if _, held := numbers(m); held {
		t.Error("after the lock something is known")
	}
}

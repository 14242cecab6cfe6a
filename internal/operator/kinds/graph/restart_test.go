package graph

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

func TestAdvance(t *testing.T) {
	const (
		restarting = v1alpha1.RestartPhaseRestarting
		completed  = v1alpha1.RestartPhaseCompleted
	)
	type ids = map[string]string
	sequential := &v1alpha1.Restart{ID: "2"}
	reversed := &v1alpha1.Restart{ID: "2", Strategy: &v1alpha1.RestartStrategy{Order: []string{"b", "a"}}}
	parallel := &v1alpha1.Restart{ID: "2", Strategy: &v1alpha1.RestartStrategy{Type: v1alpha1.RestartStrategyParallel}}
	both := map[string]bool{"a": true, "b": true}

	for name, tc := range map[string]struct {
		wanted     *v1alpha1.Restart
		last       *v1alpha1.RestartStatus
		carried    ids
		ready      map[string]bool
		wantStatus *v1alpha1.RestartStatus
		wantIDs    ids
	}{
		"never asked for":     {nil, nil, ids{}, both, nil, ids{}},
		"first of a sequence": {sequential, nil, ids{}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"a"}}, ids{"a": "2"}},
		"first not ready yet": {sequential, nil, ids{"a": "2"}, map[string]bool{"a": false, "b": true}, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"a"}}, ids{"a": "2"}},
		"first done":          {sequential, nil, ids{"a": "2"}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"b"}}, ids{"a": "2", "b": "2"}},
		"a new graph":         {sequential, nil, ids{}, nil, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2", "b": "2"}},
		"given order":         {reversed, nil, ids{}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"b"}}, ids{"b": "2"}},
		"all at once":         {parallel, nil, ids{"a": "1", "b": "1"}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"a", "b"}}, ids{"a": "2", "b": "2"}},
		"last done":           {sequential, nil, ids{"a": "2", "b": "2"}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2", "b": "2"}},
		"done and later ill":  {sequential, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2", "b": "2"}, nil, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2", "b": "2"}},
		"new id midway":       {sequential, &v1alpha1.RestartStatus{ObservedID: "1", Phase: restarting, InProgress: []string{"b"}}, ids{"a": "1", "b": "1"}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting, InProgress: []string{"a"}}, ids{"a": "2", "b": "1"}},
		"withdrawn when done": {nil, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2"}, both, &v1alpha1.RestartStatus{ObservedID: "2", Phase: completed}, ids{"a": "2"}},
		"withdrawn midway":    {nil, &v1alpha1.RestartStatus{ObservedID: "2", Phase: restarting}, ids{"a": "2"}, both, nil, ids{"a": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := advance(tc.wanted, tc.last, []string{"a", "b"}, tc.carried, tc.ready)
			if diff := cmp.Diff(tc.wantStatus, status); diff != "" {
				t.Errorf("status -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantIDs, got); diff != "" {
				t.Errorf("ids -want +got:\n%s", diff)
			}
		})
	}
}

package diagnose

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

func clique(hash string, observed int64, replicas, present, updated, ready int32) *grove.PodClique {
	return &grove.PodClique{
		ObjectMeta: metav1.ObjectMeta{Generation: 2, Labels: map[string]string{render.TemplateLabel: hash}},
		Spec:       grove.ScaledSpec{Replicas: replicas},
		Status:     grove.PodCliqueStatus{ObservedGeneration: &observed, Replicas: present, UpdatedReplicas: updated, ReadyReplicas: ready},
	}
}

func TestCountClique(t *testing.T) {
	for name, tc := range map[string]struct {
		clique *grove.PodClique
		done   bool
		says   string
	}{
		"all":                  {clique("b", 2, 2, 2, 2, 2), true, "2/2 ready"},
		"one is not ready":     {clique("b", 2, 2, 2, 2, 1), false, "1/2 ready"},
		"not scaled yet":       {clique("b", 2, 1, 1, 1, 1), false, "1/2 ready"},
		"one too many":         {clique("b", 2, 2, 3, 3, 3), false, "2/2 ready"},
		"of the previous spec": {clique("a", 2, 2, 2, 2, 2), false, "updating, 2/2 ready"},
		"half updated":         {clique("b", 2, 2, 2, 1, 2), false, "updating, 2/2 ready, 1 of the previous revision"},
		"not acted upon":       {clique("b", 1, 2, 2, 2, 2), false, "2/2 ready: Grove has not acted upon the latest change yet"},
	} {
		counted := CountClique(tc.clique, "b")
		counted.Kind, counted.Wanted = "PodClique", 2
		if counted.Done() != tc.done || counted.String() != tc.says {
			t.Errorf("%s: done %v, %q, want %v, %q", name, counted.Done(), counted, tc.done, tc.says)
		}
	}
}

func TestCountGroups(t *testing.T) {
	group := &grove.PodCliqueScalingGroup{Spec: grove.ScaledSpec{Replicas: 1}, Status: grove.ScalingGroupStatus{
		ObservedGeneration: ptr.To[int64](0), Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1,
	}}
	both := []grove.PodClique{*clique("b", 2, 1, 1, 1, 1), *clique("b", 2, 1, 1, 1, 1)}
	counted := CountGroups(group, both, "b")
	counted.Kind, counted.Wanted = "PodCliqueScalingGroup", 1
	if !counted.Done() || counted.String() != "1/1 groups ready" {
		t.Errorf("done %v, %q", counted.Done(), counted)
	}
	both[1].Labels[render.TemplateLabel] = "a"
	if counted = CountGroups(group, both, "b"); counted.Current {
		t.Error("workers of the previous spec are not seen")
	}
}

func TestMissing(t *testing.T) {
	set := &grove.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Name: "gang"}}
	absent := Counted{Kind: "PodClique", Name: "gang-0-worker"}
	if got := absent.Missing(set); !strings.Contains(got, "Grove has not made the PodClique gang-0-worker yet") {
		t.Errorf("says %q", got)
	}
	there := Counted{Exists: true}
	if got := there.Missing(set); got != "" {
		t.Errorf("says %q of what is there", got)
	}
	there.Errors = []grove.LastError{{Code: "ERR", Description: `pods "gang-0-worker-x" is forbidden: exceeded quota: gpus`}}
	if got, want := there.Missing(set), "Grove says: pods is forbidden: exceeded quota: gpus; lower the replicas or the resources, or have the quota raised"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
}

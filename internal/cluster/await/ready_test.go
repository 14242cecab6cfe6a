package await

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// marker is a claim as the operator writes it, with the time of its clock.
func marker(uid, holder string, renewed time.Time) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": v1alpha1.NamespaceScopeLease, "namespace": "team-a", "uid": uid},
		"spec": map[string]any{
			"holderIdentity": holder, "leaseDurationSeconds": int64(30), "renewTime": renewed.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		},
	}}
}

func TestAMarkerIsBelievedWhenItWasRenewedBeforeOurEyes(t *testing.T) {
	for _, skew := range []time.Duration{0, -time.Hour, time.Hour} {
		at := time.Now().Add(skew)
		fresh := func(changed bool) judgement {
			return judgeMarker(lease.NewObserver(lease.Awake), rollout.Gate{Changed: changed})
		}
		judge := fresh(true)
		if judge(marker("1", "operator", at)).ready {
			t.Errorf("clock off by %s: a claim that nobody was seen to renew counts", skew)
		}
		if !judge(marker("1", "operator", at.Add(10*time.Second))).ready {
			t.Errorf("clock off by %s: a renewal does not count", skew)
		}
		judge = fresh(true)
		judge(marker("1", "operator", at))
		if !judge(marker("2", "operator", at)).ready {
			t.Errorf("clock off by %s: a claim made anew does not count", skew)
		}
		// The platform lives beside the namespace that has the marker.
		judge = judgeMarker(lease.NewObserver(lease.Awake),
			rollout.Gate{Changed: true, Marker: "team-a", Release: fleet.Key{Namespace: "team-a-platform", Name: "dynamo-platform"}})
		if judge(nil).ready || !judge(marker("1", "operator", at)).ready {
			t.Errorf("clock off by %s: a claim that was made before our eyes does not count", skew)
		}
		if !fresh(false)(marker("1", "operator", at)).ready {
			t.Errorf("clock off by %s: the claim of a release that did not change does not count", skew)
		}
		if fresh(false)(marker("1", "", at)).ready {
			t.Error("a claim of nobody counts")
		}
	}
}

// Kubernetes calls a Deployment of which nobody wants a pod complete. One that must run is not.
func TestWhatMustRunIsNotReadyScaledToNothing(t *testing.T) {
	complete := func(*unstructured.Unstructured) verdict { return verdict{ready: true} }
	for replicas, want := range map[int64]bool{0: false, 2: true} {
		live := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": replicas}}}
		if got := running(complete)(live); got.ready != want || got.ready == (got.message == "it was scaled to 0") {
			t.Errorf("%d replicas: %+v", replicas, got)
		}
	}
	if got := running(judge)(nil); got.ready || got.message != "does not exist yet" {
		t.Errorf("without it: %+v", got)
	}
}

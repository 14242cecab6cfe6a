package watch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
)

// tidier is a watcher over a store of artifacts that grace has ended for at once.
func tidier(t *testing.T, identity string, client *fake.Clientset, objects *dynamicfake.FakeDynamicClient, base string) *Watcher {
	t.Helper()
	w := watcher(client, identity)
	w.Grace = 1
	w.Checkpoints = objects.Resource(v1alpha1.GroupVersion.WithResource("dynamocheckpoints")).Namespace("team-a")
	w.Engine = &engine.Engine{Store: artifact.NewStore(base, "team-a", "node")}
	return w
}

func objects(t *testing.T, all ...v1alpha1.DynamoCheckpoint) *dynamicfake.FakeDynamicClient {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var list []runtime.Object
	for i := range all {
		list = append(list, &all[i])
	}
	return dynamicfake.NewSimpleDynamicClient(scheme, list...)
}

func folders(t *testing.T, base string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(base, "team-a", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func left(t *testing.T, base string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(base, "team-a"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestWhatNobodyMeansIsRemoved(t *testing.T) {
	one := named("one", "llama")
	kept := checkpoint.Hash(one.Spec.Identity)
	target := meaning("p", protocol.AnnotationRestoreFrom, "restored", corev1.PodRunning)
	client, base := fake.NewClientset(&target), t.TempDir()
	folders(t, base, kept, "restored", "orphan", "held")
	w, other := tidier(t, "node/a", client, objects(t, one), base), tidier(t, "node/b", client, objects(t, one), base)
	_, release, err := other.hold(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	seen := idle{}
	if err := w.tidyOnce(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if got := left(t, base); len(got) != 4 {
		t.Errorf("before its time: %v are left", got)
	}
	if err := w.tidyOnce(t.Context(), seen); err == nil || !strings.Contains(err.Error(), "remove held: another agent is at it") {
		t.Errorf("what is written to: %v", err)
	}
	want := []string{"held", "restored", kept}
	slices.Sort(want)
	if got := left(t, base); !slices.Equal(got, want) {
		t.Errorf("%v are left, want %v", got, want)
	}
	for id, says := range map[string]string{kept: "DynamoCheckpoint team-a/one needs it", "restored": "pod team-a/p needs it", "nowhere": artifact.ErrMissing.Error()} {
		if err := w.Discard(t.Context(), id); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("remove %s: %v, want %q", id, err, says)
		}
	}
}

// TestOneAgentTidies: another one begins anew with what it has seen.
func TestOneAgentTidies(t *testing.T) {
	client, base := fake.NewClientset(), t.TempDir()
	folders(t, base, "orphan")
	one, two := tidier(t, "node/a", client, objects(t), base), tidier(t, "node/b", client, objects(t), base)
	if err := one.tidyOnce(t.Context(), idle{}); err != nil {
		t.Fatal(err)
	}
	seen := idle{"orphan": -1 << 40}
	if err := two.tidyOnce(t.Context(), seen); err != nil || len(seen) != 0 || len(left(t, base)) != 1 {
		t.Errorf("two agents tidy: %v, %v, %v are left", err, seen, left(t, base))
	}
}

// TestNothingIsRemovedThatCannotBeJudged: whoever may not ask, or asks in vain.
func TestNothingIsRemovedThatCannotBeJudged(t *testing.T) {
	for _, resource := range []string{"dynamocheckpoints", "pods"} {
		client, known, base := fake.NewClientset(), objects(t), t.TempDir()
		refuse := func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("not today") }
		client.PrependReactor("list", resource, refuse)
		known.PrependReactor("list", resource, refuse)
		folders(t, base, "orphan")
		w, seen := tidier(t, "node/a", client, known, base), idle{"orphan": -1 << 40}
		if err := w.tidyOnce(t.Context(), seen); err == nil || !strings.Contains(err.Error(), "not today") {
			t.Errorf("%s: %v", resource, err)
		}
		if got := left(t, base); !slices.Equal(got, []string{"orphan"}) {
			t.Errorf("%s: %v are left", resource, got)
		}
	}
}

func TestLeasesThatNobodyHoldsGo(t *testing.T) {
	empty := func(name string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "chrek-system"}}
	}
	held := empty("checkpoint-team-a-held")
	held.Spec.HolderIdentity, held.Spec.LeaseDurationSeconds = ptr.To("node/c"), ptr.To(int32(60))
	client := fake.NewClientset(held, empty("checkpoint-team-a-left"), empty("another's"))
	w := tidier(t, "node/a", client, objects(t), t.TempDir())
	if err := w.tidyOnce(t.Context(), idle{}); err != nil {
		t.Fatal(err)
	}
	all, err := client.CoordinationV1().Leases("chrek-system").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range all.Items {
		names = append(names, l.Name)
	}
	if want := []string{"another's", "checkpoint-team-a-held", "checkpoints.team-a"}; !slices.Equal(names, want) {
		t.Errorf("%v are left, want %v", names, want)
	}
}

package apply

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// An owner that has gone, as the API server knows and the cache does not yet, gets
// nothing: the garbage collector would delete it.
func TestNothingIsGivenToAnOwnerThatHasGone(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	component := func(uid types.UID) *v1alpha1.DynamoComponentDeployment {
		return &v1alpha1.DynamoComponentDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "chat", UID: uid}}
	}
	ending := component("first")
	now := metav1.Now()
	ending.DeletionTimestamp, ending.Finalizers = &now, []string{metav1.FinalizerOrphanDependents}
	for name, tc := range map[string]struct {
		live []client.Object
		want string
	}{
		"there":         {[]client.Object{component("first")}, ""},
		"gone":          {nil, "is being deleted"},
		"being deleted": {[]client.Object{ending}, "is being deleted"},
		"made anew":     {[]client.Object{component("second")}, "is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			orphan := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "chat", Labels: map[string]string{render.ManagedByLabel: render.Manager}}}
			cache := fake.NewClientBuilder().WithScheme(scheme).WithObjects(component("first"), orphan).Build()
			applier := Applier{
				Client: cache,
				Live:   fake.NewClientBuilder().WithScheme(scheme).WithObjects(tc.live...).Build(),
				Events: events.NewFakeRecorder(10),
			}
			wanted := orphan.DeepCopy()
			wanted.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
			wanted.ResourceVersion = ""
			err := applier.Apply(t.Context(), component("first"), wanted)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			after := &corev1.Service{}
			if err := cache.Get(t.Context(), client.ObjectKeyFromObject(orphan), after); err != nil {
				t.Fatal(err)
			}
			if owned := len(after.OwnerReferences) > 0; owned != (tc.want == "") {
				t.Errorf("owners: %v", after.OwnerReferences)
			}
		})
	}
}

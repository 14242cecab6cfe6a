package apply

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// What was in the way of an object, and has gone before it was looked at, is no success:
// nothing else would have the object created.
func TestWhatWasInTheWayAndHasGoneIsTriedAgain(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	inTheWay := interceptor.Funcs{Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "services"}, "chat", nil)
	}}
	applier := Applier{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(inTheWay).Build(),
		Live:   fake.NewClientBuilder().WithScheme(scheme).Build(),
	}
	wanted := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "chat"}}
	wanted.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	owner := &v1alpha1.DynamoComponentDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "chat", UID: "1"}}
	if err := applier.Apply(t.Context(), owner, wanted); !apierrors.IsConflict(err) {
		t.Errorf("got %v, want the conflict", err)
	}
}

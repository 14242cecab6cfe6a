package attacks

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// operatorsMemory is the limit that the chart gives the operator.
const operatorsMemory = 1 << 30

// largeGraph has variables of so many bytes, and so many services.
func largeGraph(namespace, name string, bytes, services int) *v1alpha1.DynamoGraphDeployment {
	dgd := &v1alpha1.DynamoGraphDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	dgd.Spec.Envs = []corev1.EnvVar{{Name: "LARGE", Value: strings.Repeat("x", bytes)}}
	dgd.Spec.Services = map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{}
	for i := range services {
		dgd.Spec.Services[fmt.Sprintf("S%02d", i)] = &v1alpha1.DynamoComponentDeploymentSharedSpec{
			ComponentType: "worker",
			ExtraPodSpec:  &v1alpha1.ExtraPodSpec{MainContainer: &corev1.Container{Image: "registry.example.com/runtime:1"}},
		}
	}
	return dgd
}

// largestAccepted is the most variables with which a graph of so many services is
// not refused, in bytes.
func largestAccepted(t *testing.T, services int) int {
	t.Helper()
	largest := sort.Search(validate.SizeLimit, func(bytes int) bool {
		errs, _ := validate.Graph(largeGraph("t-00000", "large-00", bytes, services), config.Default())
		return len(errs) > 0
	}) - 1
	if largest < 0 {
		t.Fatalf("a graph of %d services is refused whatever its size", services)
	}
	return largest
}

// TestLargeGraphsStopNobody: what one graph may make is bounded, and many that
// keep to it do not bring the operator to its limit, when it starts neither.
func TestLargeGraphsStopNobody(t *testing.T) {
	a := begin(t)
	ctx, namespace := context.Background(), team(t)
	d, first := dana(t, namespace), operate(t, namespace)

	const refusals, each = 14, 900 << 10
	for i := range refusals {
		name := fmt.Sprintf("flood-%02d", i)
		if err := d.Create(ctx, largeGraph(namespace, name, each, 25)); err != nil {
			t.Fatal(err)
		}
	}
	said := ""
	for i := range refusals {
		said = refused(t, namespace, fmt.Sprintf("flood-%02d", i), "ValidationFailed: spec.envs: Forbidden: the objects of the graph take")
	}
	var components v1alpha1.DynamoComponentDeploymentList
	if err := admin(t).List(ctx, &components, client.InNamespace(namespace)); err != nil || len(components.Items) > 0 {
		a.broke("%d components of graphs that are too large: %v", len(components.Items), err)
	}

	want, one, most := 0, largestAccepted(t, 1), largestAccepted(t, 25)
	for i := range 50 {
		bytes, services := one, 1
		if i%25 == 0 {
			bytes, services = most, 25
		}
		if err := d.Create(ctx, largeGraph(namespace, fmt.Sprintf("large-%02d", i), bytes, services)); err != nil {
			t.Fatal(err)
		}
		want += services
	}
	grows(t, "pods of what is allowed", want, func() int {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		if err := admin(t).List(ctx, list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	})
	peak := first.peak(t)
	first.stop()
	second := operate(t, namespace)
	grows(t, "looks at graphs", refusals+50, func() int { return second.looks(t, "graph") })
	grows(t, "looks at components", want, func() int { return second.looks(t, "component") })
	again := second.peak(t)
	for _, bytes := range []int64{peak, again} {
		if bytes >= operatorsMemory {
			a.broke("the operator took %d MiB", bytes>>20)
		}
	}
	field, _, _ := strings.Cut(said, ":")
	a.came("%s refused; at most %d MiB, %d MiB after a restart", field, peak>>20, again>>20)
}

// grows waits until a count is reached, as long as it goes up.
func grows(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	for reached := -1; reached < want; {
		last := reached
		cluster.Eventually(t, what, func() error {
			if reached = count(); reached <= last {
				return fmt.Errorf("%d of %d", reached, want)
			}
			return nil
		})
	}
}

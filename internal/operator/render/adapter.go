package render

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ScalingAdapters are the adapters of the services that ask for one, in the
// order of the services' names. Each starts with the replicas of its service.
func ScalingAdapters(dgd *v1alpha1.DynamoGraphDeployment) []*v1alpha1.DynamoGraphDeploymentScalingAdapter {
	var adapters []*v1alpha1.DynamoGraphDeploymentScalingAdapter
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		if !HasScalingAdapter(service) {
			continue
		}
		labels := map[string]string{v1alpha1.LabelComponent: name}
		adapters = append(adapters, &v1alpha1.DynamoGraphDeploymentScalingAdapter{
			TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindScalingAdapter},
			ObjectMeta: metav1.ObjectMeta{
				Name: ComponentName(dgd.Name, name), Namespace: dgd.Namespace,
				Labels: mergeMaps(labels, graphLabels(dgd.Name), managedBy()),
			},
			Spec: v1alpha1.DynamoGraphDeploymentScalingAdapterSpec{
				Replicas: service.DesiredReplicas(),
				DGDRef:   v1alpha1.DynamoGraphDeploymentServiceRef{Name: dgd.Name, ServiceName: name},
			},
		})
	}
	return adapters
}

// HasScalingAdapter reports whether a service of a graph asks for an adapter.
func HasScalingAdapter(service *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
	return service != nil && service.ScalingAdapter != nil && service.ScalingAdapter.Enabled
}

// ServiceSelector picks the pods of one service of a graph, as text.
func ServiceSelector(graph, service string) string {
	return metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: map[string]string{
		v1alpha1.LabelGraphDeploymentName: graph,
		v1alpha1.LabelComponent:           service,
	}})
}

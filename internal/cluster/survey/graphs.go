package survey

import (
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
)

var graphs = v1alpha1.GroupVersion.WithResource("dynamographdeployments")

// graphs reads what rules ask about the graphs of the cluster, or of the
// fleet's namespaces. A cluster without the CRD has none.
func (v *survey) graphs(ctx context.Context) error {
	err := v.graphsIn(ctx, "")
	if !apierrors.IsForbidden(err) {
		return err
	}
	for _, namespace := range v.wanted.Namespaces {
		if err := v.graphsIn(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}

func (v *survey) graphsIn(ctx context.Context, namespace string) error {
	err := session.EachPage(ctx, metav1.ListOptions{}, v.Dynamic.Resource(graphs).Namespace(namespace).List, func(list *unstructured.UnstructuredList) error {
		for i := range list.Items {
			v.found.Graphs = append(v.found.Graphs, graphFacts(&list.Items[i]))
		}
		return nil
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func graphFacts(u *unstructured.Unstructured) check.Graph {
	g := check.Graph{Namespace: u.GetNamespace(), Name: u.GetName(), Queue: u.GetAnnotations()[v1alpha1.AnnotationKaiSchedulerQueue]}
	var dgd v1alpha1.DynamoGraphDeployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &dgd); err != nil {
		return g // of another version: its name is all that is understood
	}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if service := dgd.Spec.Services[name]; service != nil {
			g.Services = append(g.Services, serviceFacts(name, service))
		}
	}
	return g
}

func serviceFacts(name string, s *v1alpha1.DynamoComponentDeploymentSharedSpec) check.Service {
	out := check.Service{Name: name, Nodes: int(s.NodeCount()), Checkpoint: s.Checkpoint != nil && s.Checkpoint.Enabled}
	if extra := s.ExtraPodSpec; extra != nil {
		if extra.MainContainer != nil {
			out.Image = extra.MainContainer.Image
		}
		if extra.PodSpec != nil {
			out.NodeSelector = extra.NodeSelector
		}
	}
	return out
}

package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var graphResource = schema.GroupVersionResource{Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamographdeployments"}

// Graphs lists the graphs of some namespaces, or of all if none is named, in
// order. A cluster without the CRD has none.
func (s *Session) Graphs(ctx context.Context, namespaces []string) ([]rollout.Graph, error) {
	var out []rollout.Graph
	list, err := s.Dynamic.Resource(graphResource).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case apierrors.IsForbidden(err):
		return s.graphsEach(ctx, namespaces)
	case err != nil:
		return nil, s.explain("list graphs", err)
	}
	for _, item := range list.Items {
		if len(namespaces) == 0 || slices.Contains(namespaces, item.GetNamespace()) {
			out = append(out, graphOf(&item))
		}
	}
	return out, nil
}

func (s *Session) graphsEach(ctx context.Context, namespaces []string) ([]rollout.Graph, error) {
	var out []rollout.Graph
	for _, namespace := range namespaces {
		list, err := s.Dynamic.Resource(graphResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, s.explain("list graphs in "+namespace, err)
		}
		for _, item := range list.Items {
			out = append(out, graphOf(&item))
		}
	}
	return out, nil
}

func graphOf(u *unstructured.Unstructured) rollout.Graph {
	g := rollout.Graph{Namespace: u.GetNamespace(), Name: u.GetName(), Created: u.GetCreationTimestamp().Time}
	g.State, _, _ = unstructured.NestedString(u.Object, "status", "state")
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if !ok || condition["type"] != "Ready" {
			continue
		}
		g.Reason, _ = condition["reason"].(string)
		g.Message, _ = condition["message"].(string)
		// A condition about an older generation says nothing about this one.
		observed, known := condition["observedGeneration"].(int64)
		current := !known || observed == u.GetGeneration()
		g.Ready = condition["status"] == "True" && current
		if !current {
			g.Reason, g.Message = "Stale", "the operator has not seen the latest change yet"
		}
	}
	if u.GetDeletionTimestamp() != nil {
		g.Ready, g.Reason = false, "Deleting"
	}
	if g.Reason == "" && !g.Ready {
		g.Reason = "NoStatus"
	}
	return g
}

// DeleteGraph asks for a graph to be deleted and waits until it is gone.
func (s *Session) DeleteGraph(ctx context.Context, g rollout.Graph, patience time.Duration, report func(string)) error {
	err := s.Dynamic.Resource(graphResource).Namespace(g.Namespace).Delete(ctx, g.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return s.explain("delete graph "+joinName(g.Namespace, g.Name), err)
	}
	err = s.watches.await(ctx, selection{resource: graphResource}, g.Namespace, g.Name, patience, judgeGone, report)
	var blocked *notReady
	if errors.As(err, &blocked) {
		return stuck("graph "+joinName(g.Namespace, g.Name), "dynamographdeployments", g.Namespace, g.Name, blocked)
	}
	return s.explain("wait for graph "+joinName(g.Namespace, g.Name)+" to be deleted", err)
}

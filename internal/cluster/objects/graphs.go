package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var graphs = v1alpha1.GroupVersion.WithResource("dynamographdeployments")

// Graphs lists the graphs of some namespaces, or of all if none is named, in
// order. A cluster without the CRD has none.
func (o *Objects) Graphs(ctx context.Context, namespaces []string) ([]rollout.Graph, error) {
	return o.graphs(ctx, namespaces, func(rollout.Graph) bool { return false })
}

// unservedAfter is how long an operator may take to look at a new graph.
const unservedAfter = 10 * time.Second

// GraphsAndUnserved lists, besides the graphs of these namespaces, those of others
// that no operator has looked at. Who may not list all graphs sees none of them.
func (o *Objects) GraphsAndUnserved(ctx context.Context, namespaces []string) ([]rollout.Graph, error) {
	return o.graphs(ctx, namespaces, func(g rollout.Graph) bool {
		return g.Reason == reasonNoStatus && time.Since(g.Created) > unservedAfter
	})
}

// graphs lists the graphs of some namespaces, and of the others those that also takes.
func (o *Objects) graphs(ctx context.Context, namespaces []string, also func(rollout.Graph) bool) ([]rollout.Graph, error) {
	out, err := o.graphsIn(ctx, "")
	switch {
	case apierrors.IsForbidden(err):
		return o.graphsEach(ctx, namespaces)
	case err != nil:
		return nil, o.session.Explain("list graphs", err)
	case len(namespaces) == 0:
		return out, nil
	}
	return slices.DeleteFunc(out, func(g rollout.Graph) bool { return !slices.Contains(namespaces, g.Namespace) && !also(g) }), nil
}

func (o *Objects) graphsEach(ctx context.Context, namespaces []string) ([]rollout.Graph, error) {
	var out []rollout.Graph
	for _, namespace := range namespaces {
		found, err := o.graphsIn(ctx, namespace)
		if err != nil {
			return nil, o.session.Explain("list graphs in "+namespace, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func (o *Objects) graphsIn(ctx context.Context, namespace string) (out []rollout.Graph, err error) {
	err = session.EachPage(ctx, metav1.ListOptions{}, o.session.Dynamic.Resource(graphs).Namespace(namespace).List, func(list *unstructured.UnstructuredList) error {
		for i := range list.Items {
			out = append(out, graphOf(&list.Items[i]))
		}
		return nil
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return out, err
}

// reasonNoStatus is that of graphs about which nobody has reported.
const reasonNoStatus = "NoStatus"

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
		g.Reason, g.Message = reasonNoStatus, "no operator has looked at it: see that one serves namespace "+g.Namespace
	}
	return g
}

// DeleteGraph asks for a graph to be deleted and waits until it is gone.
func (o *Objects) DeleteGraph(ctx context.Context, g rollout.Graph, patience time.Duration, report func(string)) error {
	err := o.session.Dynamic.Resource(graphs).Namespace(g.Namespace).Delete(ctx, g.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return o.session.Explain("delete graph "+session.JoinName(g.Namespace, g.Name), err)
	}
	err = o.wait.Gone(ctx, graphs, g.Namespace, g.Name, patience, report)
	var stuck *await.StuckError
	if errors.As(err, &stuck) {
		return fmt.Errorf("graph %s %w", session.JoinName(g.Namespace, g.Name), stuck)
	}
	return o.session.Explain("wait for graph "+session.JoinName(g.Namespace, g.Name)+" to be deleted", err)
}

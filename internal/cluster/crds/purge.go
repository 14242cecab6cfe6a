package crds

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Custom counts the objects of each CRD that exists.
func (d Definitions) Custom(ctx context.Context, crds []string) (map[string]int, error) {
	out := map[string]int{}
	for _, name := range crds {
		plural, group, _ := cut(name)
		m, err := d.session.Mapper.ResourceFor(schema.GroupVersionResource{Group: group, Resource: plural})
		if err != nil {
			continue // Not served: there are no objects.
		}
		err = d.session.EachMetadata(ctx, m, "", metav1.ListOptions{}, func(*metav1.PartialObjectMetadata) { out[name]++ })
		if err != nil {
			return nil, d.session.Explain("list "+m.Resource, err)
		}
	}
	return out, nil
}

// MarkedCRDs lists the CRDs that were applied without a release, by the chart
// that they were applied for.
func (d Definitions) MarkedCRDs(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	ours := metav1.ListOptions{LabelSelector: marks.ManagedBy + "=" + marks.ManagedByUs}
	err := d.session.EachMetadata(ctx, session.CRDs, "", ours, func(m *metav1.PartialObjectMetadata) {
		if chart := m.Annotations[marks.CRDChart]; chart != "" {
			out[chart] = append(out[chart], m.Name)
		}
	})
	return out, d.session.Explain("list CRDs", err)
}

// ConvertedBy implements rollout.Executor. The Service of a release that converts
// is called as the release.
func (d Definitions) ConvertedBy(ctx context.Context, release fleet.Key) (out []string, err error) {
	list, err := d.session.Dynamic.Resource(session.CRDs).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, d.session.Explain("list CRDs", err)
	}
	for _, crd := range list.Items {
		service, _, _ := unstructured.NestedMap(crd.Object, "spec", "conversion", "webhook", "clientConfig", "service")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if service["namespace"] == release.Namespace && service["name"] == release.Name && len(versions) > 1 {
			out = append(out, crd.GetName())
		}
	}
	return out, nil
}

// DeleteCRDs removes CRDs, and with them all of their objects, and waits until
// they are gone. Objects that cannot go are named, with their finalizers.
func (d Definitions) DeleteCRDs(ctx context.Context, crds []string, patience time.Duration, report func(string)) error {
	for _, name := range crds {
		err := d.session.Dynamic.Resource(session.CRDs).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return d.session.Explain("delete CRD "+name, err)
		}
	}
	var group errgroup.Group
	for _, name := range crds {
		group.Go(func() error { return d.awaitNoCRD(ctx, name, patience, report) })
	}
	return group.Wait()
}

func (d Definitions) awaitNoCRD(ctx context.Context, name string, patience time.Duration, report func(string)) error {
	say := func(message string) { report("CRD " + name + ": " + message) }
	err := d.wait.Gone(ctx, session.CRDs, "", name, patience, say)
	var stuck *await.StuckError
	if !errors.As(err, &stuck) {
		return d.session.Explain("wait for CRD "+name+" to be deleted", err)
	}
	if held := d.holders(context.WithoutCancel(ctx), name); held != "" {
		return fmt.Errorf("CRD %s is being deleted, but objects of its kind stay: %s; make that program finish, or take their finalizers away if it is gone for good", name, held)
	}
	return fmt.Errorf("CRD %s %w", name, stuck)
}

// holders lists the objects of a kind that are being deleted and cannot go, each
// with its finalizers; three at most, and how many more there are.
func (d Definitions) holders(ctx context.Context, crd string) string {
	plural, group, _ := cut(crd)
	gvr, err := d.session.Mapper.ResourceFor(schema.GroupVersionResource{Group: group, Resource: plural})
	if err != nil {
		return ""
	}
	var named []string
	more := 0
	err = d.session.EachMetadata(ctx, gvr, "", metav1.ListOptions{}, func(m *metav1.PartialObjectMetadata) {
		held := await.HeldBy(m)
		switch {
		case held == "":
		case len(named) == 3:
			more++
		default:
			named = append(named, fmt.Sprintf("%s %s waits for %s", plural, session.JoinName(m.Namespace, m.Name), held))
		}
	})
	if err != nil || len(named) == 0 {
		return ""
	}
	if more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(named, "; ")
}

// cut splits a CRD's name into plural and group.
func cut(crd string) (plural, group string, found bool) { return strings.Cut(crd, ".") }

// Package crds reads, applies and removes the definitions of kinds, and counts
// and lists the objects of those kinds.
package crds

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Definitions are the CRDs of a cluster.
type Definitions struct {
	session *session.Session
	wait    *await.Waiter
}

// New makes Definitions.
func New(s *session.Session, wait *await.Waiter) Definitions { return Definitions{s, wait} }

// objectsPerPage bounds how many custom objects are in memory at once: a graph
// with its pod templates may take 100 kB.
const objectsPerPage = 250

// Definition reads a CRD as it lives in the cluster; nil if there is none.
func (d Definitions) Definition(ctx context.Context, name string) (*crdsafety.Definition, error) {
	live, err := d.session.Dynamic.Resource(session.CRDs).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, d.session.Explain("read CRD "+name, err)
	}
	crd := &crdsafety.Definition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, crd); err != nil {
		return nil, fmt.Errorf("read CRD %s: %w", name, err)
	}
	return crd, nil
}

// Pages lists the objects of a CRD in one of its versions, page by page. A
// version that the API server does not serve (yet) has none.
func (d Definitions) Pages(ctx context.Context, crd *crdsafety.Definition, version string, page func([]map[string]any) error) error {
	resource := schema.GroupVersionResource{Group: crd.Spec.Group, Version: version, Resource: crd.Spec.Names.Plural}
	list := func(ctx context.Context, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
		found, err := d.session.Dynamic.Resource(resource).List(ctx, options)
		if apierrors.IsNotFound(err) {
			return &unstructured.UnstructuredList{}, nil
		}
		return found, d.session.Explain("list "+resource.GroupResource().String()+", to see what a change of their definition would do to them", err)
	}
	return session.EachPage(ctx, metav1.ListOptions{Limit: objectsPerPage}, list, func(found *unstructured.UnstructuredList) error {
		objects := make([]map[string]any, 0, len(found.Items))
		for _, item := range found.Items {
			objects = append(objects, item.Object)
		}
		return page(objects)
	})
}

// ApplyCRDs writes CRDs that belong to no release, in parallel.
func (d Definitions) ApplyCRDs(ctx context.Context, crds []chart.Object, fields rollout.Fields) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, crd := range crds {
		group.Go(func() error {
			if err := d.applyCRD(ctx, crd, fields); err != nil {
				return d.session.Explain("apply CRD "+crd.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (d Definitions) applyCRD(ctx context.Context, crd chart.Object, fields rollout.Fields) error {
	wanted, err := apply.Parse(crd)
	if err != nil {
		return err
	}
	client := d.session.Dynamic.Resource(session.CRDs)
	_, err = apply.Applier{Fields: fields}.Apply(ctx, client, wanted, apply.ReadWith(client, crd.Name))
	return err
}

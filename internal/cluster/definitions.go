package cluster

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// objectsPerPage bounds how many custom objects are in memory at once: a graph
// with its pod templates may take 100 kB.
const objectsPerPage = 250

// Definition reads a CRD as it lives in the cluster; nil if there is none.
func (s *Session) Definition(ctx context.Context, name string) (*crdsafety.Definition, error) {
	live, err := s.Dynamic.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read CRD "+name, err)
	}
	crd := &crdsafety.Definition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, crd); err != nil {
		return nil, fmt.Errorf("read CRD %s: %w", name, err)
	}
	return crd, nil
}

// Pages lists the objects of a CRD in one of its versions, page by page. A
// version that the API server does not serve (yet) has none.
func (s *Session) Pages(ctx context.Context, crd *crdsafety.Definition, version string, page func([]map[string]any) error) error {
	resource := schema.GroupVersionResource{Group: crd.Spec.Group, Version: version, Resource: crd.Spec.Names.Plural}
	options := metav1.ListOptions{Limit: objectsPerPage}
	for {
		list, err := s.Dynamic.Resource(resource).List(ctx, options)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return s.explain("list "+resource.GroupResource().String()+", to see what a change of their definition would do to them", err)
		}
		objects := make([]map[string]any, 0, len(list.Items))
		for _, item := range list.Items {
			objects = append(objects, item.Object)
		}
		if err := page(objects); err != nil {
			return err
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// ApplyCRDs writes CRDs that belong to no release, in parallel.
func (s *Session) ApplyCRDs(ctx context.Context, crds []chart.Object, fields rollout.Fields) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for _, crd := range crds {
		group.Go(func() error {
			if err := s.applyCRD(ctx, crd, fields); err != nil {
				return s.explain("apply CRD "+crd.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Session) applyCRD(ctx context.Context, crd chart.Object, fields rollout.Fields) error {
	client := s.Dynamic.Resource(crdResource)
	wanted, err := parsed(crd)
	if err != nil {
		return err
	}
	live, err := client.Get(ctx, crd.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live, err = &unstructured.Unstructured{}, nil
	}
	if err != nil {
		return err
	}
	LeaveFields(wanted, live, fields.Left(crd.Kind, "", crd.Name))
	_, err = patch(ctx, client, wanted, metav1.PatchOptions{})
	if conflicts := Conflicts(err, wanted, live); len(conflicts) > 0 && fields.Takes(crd.Kind, "", crd.Name, conflicts) {
		_, err = patch(ctx, client, wanted, metav1.PatchOptions{Force: ptr.To(true)})
	}
	return err
}

package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
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

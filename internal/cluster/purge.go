package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Custom counts the objects of each CRD that exists.
func (s *Session) Custom(ctx context.Context, crds []string) (map[string]int, error) {
	out := map[string]int{}
	for _, name := range crds {
		plural, group, _ := cut(name)
		m, err := s.mapper.ResourceFor(schema.GroupVersionResource{Group: group, Resource: plural})
		if err != nil {
			continue // Not served: there are no objects.
		}
		err = s.eachMetadata(ctx, m, "", func(*metav1.PartialObjectMetadata) { out[name]++ })
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// MarkedCRDs lists the CRDs that were applied without a release, by the chart
// that they were applied for.
func (s *Session) MarkedCRDs(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	err := s.eachMetadata(ctx, crdResource, ManagedByLabel+"="+ManagedByUs, func(m *metav1.PartialObjectMetadata) {
		if chart := m.Annotations[rollout.CRDChartMark]; chart != "" {
			out[chart] = append(out[chart], m.Name)
		}
	})
	return out, err
}

// DeleteCRDs removes CRDs, and with them all of their objects, and waits until
// they are gone. Objects that cannot go are named, with their finalizers.
func (s *Session) DeleteCRDs(ctx context.Context, crds []string, patience time.Duration, report func(string)) error {
	for _, name := range crds {
		err := s.Dynamic.Resource(crdResource).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return s.explain("delete CRD "+name, err)
		}
	}
	var group errgroup.Group
	for _, name := range crds {
		group.Go(func() error { return s.awaitNoCRD(ctx, name, patience, report) })
	}
	return group.Wait()
}

func (s *Session) awaitNoCRD(ctx context.Context, name string, patience time.Duration, report func(string)) error {
	say := func(message string) { report("CRD " + name + ": " + message) }
	err := s.watches.await(ctx, selection{resource: crdResource}, "", name, patience, judgeGone, say)
	var blocked *notReady
	if !errors.As(err, &blocked) {
		return s.explain("wait for CRD "+name+" to be deleted", err)
	}
	if held := s.holders(context.WithoutCancel(ctx), name); held != "" {
		return fmt.Errorf("CRD %s is being deleted, but objects of its kind stay: %s; make that program finish, or take their finalizers away if it is gone for good", name, held)
	}
	return stuck("CRD "+name, "crd", "", name, blocked)
}

// Claims lists the volume claims that belong to a release by its instance
// label: those of StatefulSets, which outlive it.
func (s *Session) Claims(ctx context.Context, key fleet.Key) ([]string, error) {
	list, err := s.Kube.CoreV1().PersistentVolumeClaims(key.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/instance=" + key.Name,
	})
	if err != nil {
		return nil, s.explain("list volume claims in "+key.Namespace, err)
	}
	var names []string
	for _, claim := range list.Items {
		names = append(names, claim.Name)
	}
	return names, nil
}

// DeleteClaims removes volume claims, and with them their data.
func (s *Session) DeleteClaims(ctx context.Context, namespace string, names []string) error {
	for _, name := range names {
		err := s.Kube.CoreV1().PersistentVolumeClaims(namespace).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return s.explain("delete volume claim "+namespace+"/"+name, err)
		}
	}
	return nil
}

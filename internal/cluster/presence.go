package cluster

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// helmObjects selects what Helm releases own.
const helmObjects = ManagedByLabel + "=Helm"

// identity is an object within a cluster, without its version: one object may
// be served at several.
type identity struct {
	schema.GroupResource
	namespace, name string
}

// Absent tells which objects of each release are gone, or belong to another
// release. It costs one metadata-only list per kind, however many releases
// there are.
func (s *Session) Absent(ctx context.Context, releases map[fleet.Key][]chart.Object) (map[fleet.Key][]chart.Object, error) {
	wanted, mappings, err := s.identify(releases)
	if err != nil {
		return nil, err
	}
	owners, err := s.owners(ctx, mappings)
	if err != nil {
		return nil, err
	}
	absent := map[fleet.Key][]chart.Object{}
	for key, objects := range wanted {
		for _, o := range objects {
			if o.mapped && owners[o.identity] == key {
				continue
			}
			absent[key] = append(absent[key], o.Object)
		}
	}
	return absent, nil
}

type identified struct {
	chart.Object
	identity
	mapped bool
}

// identify finds the resource of every object. A kind that the cluster does
// not serve stays unmapped: its objects cannot exist.
func (s *Session) identify(releases map[fleet.Key][]chart.Object) (map[fleet.Key][]identified, map[schema.GroupVersionResource]bool, error) {
	type apiKind struct{ apiVersion, kind string }
	known := map[apiKind]*meta.RESTMapping{}
	kinds := map[schema.GroupVersionResource]bool{}
	out := make(map[fleet.Key][]identified, len(releases))
	for key, objects := range releases {
		for _, object := range objects {
			id := apiKind{object.APIVersion, object.Kind}
			m, seen := known[id]
			if !seen {
				var err error
				m, err = s.mapping(object.APIVersion, object.Kind)
				if err != nil && !meta.IsNoMatchError(err) {
					return nil, nil, s.explain("look up "+object.Kind, err)
				}
				known[id] = m
			}
			out[key] = append(out[key], identityOf(object, key, m))
			if m != nil {
				kinds[m.Resource] = true
			}
		}
	}
	return out, kinds, nil
}

func identityOf(object chart.Object, key fleet.Key, m *meta.RESTMapping) identified {
	if m == nil {
		return identified{Object: object}
	}
	namespace := object.Namespace
	switch {
	case m.Scope.Name() == meta.RESTScopeNameRoot:
		namespace = ""
	case namespace == "":
		namespace = key.Namespace
	}
	return identified{
		Object: object, mapped: true,
		identity: identity{GroupResource: m.Resource.GroupResource(), namespace: namespace, name: object.Name},
	}
}

// owners lists, for every object of the given kinds that a Helm release owns,
// which release that is.
func (s *Session) owners(ctx context.Context, kinds map[schema.GroupVersionResource]bool) (map[identity]fleet.Key, error) {
	var mutex sync.Mutex
	owners := map[identity]fleet.Key{}
	group, ctx := errgroup.WithContext(ctx)
	for gvr := range kinds {
		group.Go(func() error {
			return s.eachMetadata(ctx, gvr, helmObjects, func(m *metav1.PartialObjectMetadata) {
				id := identity{GroupResource: gvr.GroupResource(), namespace: m.Namespace, name: m.Name}
				if m.DeletionTimestamp != nil {
					return
				}
				mutex.Lock()
				defer mutex.Unlock()
				owners[id] = releaseOf(m)
			})
		})
	}
	return owners, group.Wait()
}

// releaseOf reads the release that an object belongs to.
func releaseOf(m metav1.Object) fleet.Key {
	annotations := m.GetAnnotations()
	return fleet.Key{Namespace: annotations["meta.helm.sh/release-namespace"], Name: annotations["meta.helm.sh/release-name"]}
}

// eachMetadata visits the metadata of all objects of a kind, in pages.
func (s *Session) eachMetadata(ctx context.Context, gvr schema.GroupVersionResource, selector string, visit func(*metav1.PartialObjectMetadata)) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: 1000}
	for {
		page, err := s.Metadata.Resource(gvr).List(ctx, options)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return s.explain("list "+gvr.Resource, err)
		}
		for i := range page.Items {
			visit(&page.Items[i])
		}
		if page.Continue == "" {
			return nil
		}
		options.Continue = page.Continue
	}
}

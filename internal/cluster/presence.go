package cluster

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// helmObjects selects what Helm releases own.
const helmObjects = ManagedByLabel + "=Helm"

// identity is an object within a cluster, without its version: one object may
// be served at several.
type identity struct {
	schema.GroupResource
	namespace, name string
}

// parallelLooks bounds the requests for single objects.
const parallelLooks = 32

// Sightings looks at everything that releases want. What Helm releases own is
// found with one metadata-only list per kind, however many releases there are;
// only what is not among it is asked for by name.
func (s *Session) Sightings(ctx context.Context, releases map[fleet.Key][]chart.Object, absentNamespaces map[string]bool) (map[fleet.Key][]rollout.Sighting, error) {
	wanted, err := s.identify(releases)
	if err != nil {
		return nil, err
	}
	owned, err := s.owned(ctx, kindsOf(wanted, absentNamespaces))
	if err != nil {
		return nil, err
	}
	out := make(map[fleet.Key][]rollout.Sighting, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLooks)
	for key, objects := range wanted {
		seen := make([]rollout.Sighting, len(objects))
		out[key] = seen
		for i, o := range objects {
			seen[i] = rollout.Sighting{Kind: o.Kind, Namespace: o.namespace, Name: o.Name, Resource: o.GroupResource.String()}
			if live := owned[o.identity]; live != nil || !o.mapped || absentNamespaces[o.namespace] {
				seen[i].Live = live
				continue
			}
			group.Go(func() (err error) {
				seen[i].Live, err = s.look(ctx, o)
				return err
			})
		}
	}
	return out, group.Wait()
}

// look asks for the metadata of one object; nil if there is none.
func (s *Session) look(ctx context.Context, o identified) (*rollout.Metadata, error) {
	live, err := s.Metadata.Resource(o.resource).Namespace(o.namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read "+o.String(), err)
	}
	return metadataOf(live), nil
}

// metadataOf keeps what tells whose an object is.
func metadataOf(m metav1.Object) *rollout.Metadata {
	out := &rollout.Metadata{Labels: m.GetLabels(), Annotations: m.GetAnnotations(), Deleting: m.GetDeletionTimestamp() != nil}
	if owner := metav1.GetControllerOf(m); owner != nil {
		out.Controller = owner.Kind + "/" + owner.Name
	}
	for _, entry := range m.GetManagedFields() {
		if entry.Subresource == "" && !slices.Contains(out.Managers, entry.Manager) {
			out.Managers = append(out.Managers, entry.Manager)
		}
	}
	return out
}

type identified struct {
	chart.Object
	identity
	resource schema.GroupVersionResource
	mapped   bool
}

// identify finds the resource of every object. A kind that the cluster does
// not serve stays unmapped: its objects cannot exist.
func (s *Session) identify(releases map[fleet.Key][]chart.Object) (map[fleet.Key][]identified, error) {
	type apiKind struct{ apiVersion, kind string }
	known := map[apiKind]*meta.RESTMapping{}
	out := make(map[fleet.Key][]identified, len(releases))
	for key, objects := range releases {
		for _, object := range objects {
			id := apiKind{object.APIVersion, object.Kind}
			m, seen := known[id]
			if !seen {
				var err error
				m, err = s.mapping(object.APIVersion, object.Kind)
				if err != nil && !meta.IsNoMatchError(err) {
					return nil, s.explain("look up "+object.Kind, err)
				}
				known[id] = m
			}
			out[key] = append(out[key], identityOf(object, key, m))
		}
	}
	return out, nil
}

// kindsOf lists the kinds of objects that may exist.
func kindsOf(wanted map[fleet.Key][]identified, absentNamespaces map[string]bool) map[schema.GroupVersionResource]bool {
	kinds := map[schema.GroupVersionResource]bool{}
	for _, objects := range wanted {
		for _, o := range objects {
			if o.mapped && !absentNamespaces[o.namespace] {
				kinds[o.resource] = true
			}
		}
	}
	return kinds
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
		Object: object, mapped: true, resource: m.Resource,
		identity: identity{GroupResource: m.Resource.GroupResource(), namespace: namespace, name: object.Name},
	}
}

// owned lists the objects of the given kinds that Helm releases own. Kinds that
// may not be listed have none: their objects are then asked for by name.
func (s *Session) owned(ctx context.Context, kinds map[schema.GroupVersionResource]bool) (map[identity]*rollout.Metadata, error) {
	var mutex sync.Mutex
	owned := map[identity]*rollout.Metadata{}
	group, ctx := errgroup.WithContext(ctx)
	for gvr := range kinds {
		group.Go(func() error {
			err := s.eachMetadata(ctx, gvr, helmObjects, func(m *metav1.PartialObjectMetadata) {
				mutex.Lock()
				defer mutex.Unlock()
				owned[identity{GroupResource: gvr.GroupResource(), namespace: m.Namespace, name: m.Name}] = metadataOf(m)
			})
			if apierrors.IsForbidden(err) {
				return nil
			}
			return err
		})
	}
	return owned, group.Wait()
}

// ReleaseOf reads the release that an object belongs to.
func ReleaseOf(m metav1.Object) fleet.Key {
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

// Package objects looks at single objects of a cluster, whoever has them, and
// makes and removes what no release holds: namespaces, graphs, volume claims.
package objects

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Objects looks at what is in the cluster, and makes and removes namespaces,
// graphs and volume claims.
type Objects struct {
	session *session.Session
	wait    *await.Waiter
	// created are the namespaces that this run has made.
	created sync.Map
}

// New makes Objects.
func New(s *session.Session, wait *await.Waiter) *Objects { return &Objects{session: s, wait: wait} }

// perKind is how many objects of a kind one request of a search asks for: of
// their metadata only, and of few kinds.
const perKind = 1000

// Find looks at everything that releases want. What Helm releases own is
// found with one metadata-only list per kind, however many releases there are;
// only what is not among it is asked for by name.
func (o *Objects) Find(ctx context.Context, releases map[fleet.Key][]chart.Object, absentNamespaces map[string]bool, before *rollout.Marked) (map[fleet.Key][]rollout.Found, error) {
	wanted, err := o.identify(releases)
	if err != nil {
		return nil, err
	}
	kinds := kindsOf(wanted, absentNamespaces)
	maps.DeleteFunc(kinds, func(gvr schema.GroupVersionResource, _ bool) bool { return before.Looked(gvr.GroupResource().String()) })
	owned, err := o.owned(ctx, kinds)
	if err != nil {
		return nil, err
	}
	out := make(map[fleet.Key][]rollout.Found, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	for key, objects := range wanted {
		seen := make([]rollout.Found, len(objects))
		out[key] = seen
		for i, at := range objects {
			seen[i] = rollout.Found{Kind: at.Kind, Namespace: at.ID.Namespace, Name: at.Name, Resource: at.ID.GroupResource.String()}
			live := owned[at.ID]
			if live == nil {
				live = before.Of(key, seen[i])
			}
			if live != nil || !at.Served || absentNamespaces[at.ID.Namespace] {
				seen[i].Live = live
				continue
			}
			group.Go(func() (err error) {
				seen[i].Live, err = o.look(ctx, at)
				return err
			})
		}
	}
	return out, group.Wait()
}

// look asks for the metadata of one object; nil if there is none.
func (o *Objects) look(ctx context.Context, at session.Located) (*rollout.Metadata, error) {
	live, err := o.session.Metadata.Resource(at.Resource).Namespace(at.ID.Namespace).Get(ctx, at.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, o.session.Explain("read "+at.String(), err)
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

// identify finds the resource of every object. Objects of a kind that the cluster
// does not serve cannot exist, and are nowhere.
func (o *Objects) identify(releases map[fleet.Key][]chart.Object) (map[fleet.Key][]session.Located, error) {
	type apiKind struct{ apiVersion, kind string }
	known := map[apiKind]*meta.RESTMapping{}
	out := make(map[fleet.Key][]session.Located, len(releases))
	for key, objects := range releases {
		for _, object := range objects {
			id := apiKind{object.APIVersion, object.Kind}
			m, seen := known[id]
			if !seen {
				var err error
				m, err = o.session.Mapping(object.APIVersion, object.Kind)
				if err != nil && !meta.IsNoMatchError(err) {
					return nil, o.session.Explain("look up "+object.Kind, err)
				}
				known[id] = m
			}
			at := session.Located{Object: object}
			if m != nil {
				at = session.LocateBy(m, object, key)
			}
			out[key] = append(out[key], at)
		}
	}
	return out, nil
}

// kindsOf lists the kinds of objects that may exist.
func kindsOf(wanted map[fleet.Key][]session.Located, absentNamespaces map[string]bool) map[schema.GroupVersionResource]bool {
	kinds := map[schema.GroupVersionResource]bool{}
	for _, objects := range wanted {
		for _, at := range objects {
			if at.Served && !absentNamespaces[at.ID.Namespace] {
				kinds[at.Resource] = true
			}
		}
	}
	return kinds
}

// owned lists the objects of the given kinds that Helm releases own.
func (o *Objects) owned(ctx context.Context, kinds map[schema.GroupVersionResource]bool) (map[session.Identity]*rollout.Metadata, error) {
	owned := map[session.Identity]*rollout.Metadata{}
	err := o.eachOwned(ctx, slices.Collect(maps.Keys(kinds)), func(gvr schema.GroupVersionResource, m *metav1.PartialObjectMetadata) {
		owned[session.Identity{GroupResource: gvr.GroupResource(), Namespace: m.Namespace, Name: m.Name}] = metadataOf(m)
	})
	return owned, err
}

// Marked lists the objects of some resources that carry the marks of a release.
func (o *Objects) Marked(ctx context.Context, resources []string) (*rollout.Marked, error) {
	out := &rollout.Marked{Resources: map[string]bool{}, Objects: map[fleet.Key][]rollout.MarkedObject{}}
	kinds := map[schema.GroupVersionResource]schema.GroupVersionKind{}
	for _, resource := range resources {
		kind, err := o.session.Mapper.KindFor(schema.ParseGroupResource(resource).WithVersion(""))
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, o.session.Explain("look up "+resource, err)
		}
		m, err := o.session.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return nil, o.session.Explain("look up "+resource, err)
		}
		kinds[m.Resource], out.Resources[resource] = kind, true
	}
	return out, o.eachOwned(ctx, slices.Collect(maps.Keys(kinds)), func(gvr schema.GroupVersionResource, m *metav1.PartialObjectMetadata) {
		key, kind := marks.ReleaseIn(m.Annotations), kinds[gvr]
		if key.Name == "" {
			return
		}
		out.Objects[key] = append(out.Objects[key], rollout.MarkedObject{
			APIVersion: kind.GroupVersion().String(),
			Found:      rollout.Found{Kind: kind.Kind, Namespace: m.Namespace, Name: m.Name, Resource: gvr.GroupResource().String(), Live: metadataOf(m)},
		})
	})
}

// eachOwned visits the objects that Helm releases own, one at a time. Kinds that
// may not be listed have none: their objects are then asked for by name.
func (o *Objects) eachOwned(ctx context.Context, kinds []schema.GroupVersionResource, visit func(schema.GroupVersionResource, *metav1.PartialObjectMetadata)) error {
	helms := metav1.ListOptions{LabelSelector: marks.ManagedBy + "=" + marks.ManagedByHelm, Limit: perKind}
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	for _, gvr := range kinds {
		group.Go(func() error {
			err := o.session.EachMetadata(ctx, gvr, "", helms, func(m *metav1.PartialObjectMetadata) {
				mutex.Lock()
				defer mutex.Unlock()
				visit(gvr, m)
			})
			if apierrors.IsForbidden(err) {
				return nil
			}
			return o.session.Explain("list "+gvr.Resource, err)
		})
	}
	return group.Wait()
}

// Package survey finds out what rules want to know about a cluster. Everything
// is read, nothing is written.
package survey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Surveyor reads facts.
type Surveyor struct{ session *session.Session }

// New makes a Surveyor.
func New(s *session.Session) Surveyor { return Surveyor{s} }

// Facts reads what rules want to know, all at once and without any write. What
// the user may not read is unknown, with the reason; only a cluster that does
// not answer is an error.
func (s Surveyor) Facts(ctx context.Context, wanted check.Wanted) (*check.Cluster, error) {
	v := &survey{Session: s.session, wanted: wanted, found: &check.Cluster{Unknown: map[check.Fact]string{}}}
	group, ctx := errgroup.WithContext(ctx)
	for fact := range wanted.Facts {
		read, known := readers[fact]
		if !known {
			return nil, fmt.Errorf("nobody knows how to find out about %s", fact)
		}
		group.Go(func() error { return v.record(fact, read(v, ctx)) })
	}
	return v.found, group.Wait()
}

// survey is one reading of the cluster. Every reader fills a field of its own.
type survey struct {
	*session.Session
	wanted check.Wanted
	found  *check.Cluster
	mutex  sync.Mutex
}

// readers finds out about one fact each.
var readers = map[check.Fact]func(*survey, context.Context) error{
	check.FactOperators:       (*survey).operators,
	check.FactInstallations:   (*survey).installations,
	check.FactAPIs:            (*survey).apis,
	check.FactCRDs:            (*survey).crds,
	check.FactNamespaces:      (*survey).namespaces,
	check.FactNodes:           (*survey).nodes,
	check.FactStorageClasses:  (*survey).storageClasses,
	check.FactRuntimeClasses:  (*survey).runtimeClasses,
	check.FactPriorityClasses: (*survey).priorityClasses,
	check.FactIngressClasses:  (*survey).ingressClasses,
	check.FactSecrets:         (*survey).secrets,
	check.FactServices:        (*survey).services,
	check.FactClaims:          (*survey).claims,
	check.FactQueues:          (*survey).queues,
	check.FactWebhooks:        (*survey).webhooks,
	check.FactAgents:          (*survey).agents,
	check.FactGraphs:          (*survey).graphs,
	check.FactDomain:          (*survey).domain,
	check.FactSchemas:         (*survey).schemas,
}

// record turns a missing permission into an unknown fact.
func (v *survey) record(fact check.Fact, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		v.mutex.Lock()
		defer v.mutex.Unlock()
		v.found.Unknown[fact] = session.Forbidden(err)
		return nil
	default:
		return v.Explain("find out about "+string(fact), err)
	}
}

func (v *survey) unknown(fact check.Fact, reason string) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.found.Unknown[fact] = reason
}

// each visits the metadata of objects of one kind in the whole cluster, or, for
// users who may not list that, in the namespaces of the fleet. A cluster that
// does not serve the kind has none.
func (v *survey) each(ctx context.Context, gvr schema.GroupVersionResource, options metav1.ListOptions, visit func(*metav1.PartialObjectMetadata)) error {
	err := v.EachMetadata(ctx, gvr, "", options, visit)
	if !apierrors.IsForbidden(err) || clusterScoped[gvr] {
		return err
	}
	for _, namespace := range v.wanted.Namespaces {
		if err := v.EachMetadata(ctx, gvr, namespace, options, visit); err != nil {
			return err
		}
	}
	return nil
}

// named asks for objects by their names, in all namespaces at once.
func (v *survey) named(ctx context.Context, fact check.Fact, gvr schema.GroupVersionResource) ([]fleet.Key, error) {
	var mutex sync.Mutex
	var out []fleet.Key
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range v.wanted.Names[fact] {
		group.Go(func() error {
			return v.each(ctx, gvr, withName(name), func(m *metav1.PartialObjectMetadata) {
				mutex.Lock()
				defer mutex.Unlock()
				out = append(out, fleet.Key{Namespace: m.Namespace, Name: m.Name})
			})
		})
	}
	err := group.Wait()
	slices.SortFunc(out, func(a, b fleet.Key) int { return strings.Compare(a.String(), b.String()) })
	return out, err
}

func withName(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "metadata.name=" + name}
}

var (
	services        = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	secrets         = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	namespaces      = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	runtimeClasses  = schema.GroupVersionResource{Group: "node.k8s.io", Version: "v1", Resource: "runtimeclasses"}
	priorityClasses = schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"}
	ingressClasses  = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"}
	queues          = schema.GroupVersionResource{Group: "scheduling.run.ai", Version: "v2", Resource: "queues"}

	clusterScoped = map[schema.GroupVersionResource]bool{
		namespaces: true, runtimeClasses: true, priorityClasses: true, ingressClasses: true, queues: true,
	}
)

func (v *survey) secrets(ctx context.Context) (err error) {
	v.found.Secrets, err = v.named(ctx, check.FactSecrets, secrets)
	return err
}

func (v *survey) services(ctx context.Context) (err error) {
	v.found.Services, err = v.named(ctx, check.FactServices, services)
	return err
}

func (v *survey) runtimeClasses(ctx context.Context) (err error) {
	v.found.RuntimeClasses, err = v.names(ctx, runtimeClasses)
	return err
}

func (v *survey) priorityClasses(ctx context.Context) (err error) {
	v.found.PriorityClasses, err = v.names(ctx, priorityClasses)
	return err
}

func (v *survey) ingressClasses(ctx context.Context) (err error) {
	v.found.IngressClasses, err = v.names(ctx, ingressClasses)
	return err
}

func (v *survey) queues(ctx context.Context) (err error) {
	v.found.Queues, err = v.names(ctx, queues)
	return err
}

func (v *survey) names(ctx context.Context, gvr schema.GroupVersionResource) ([]string, error) {
	var out []string
	err := v.each(ctx, gvr, metav1.ListOptions{}, func(m *metav1.PartialObjectMetadata) { out = append(out, m.Name) })
	return out, err
}

func (v *survey) namespaces(ctx context.Context) error {
	return v.each(ctx, namespaces, metav1.ListOptions{}, func(m *metav1.PartialObjectMetadata) {
		v.found.Namespaces = append(v.found.Namespaces, check.Namespace{Name: m.Name, Labels: m.Labels})
	})
}

func (v *survey) apis(context.Context) error {
	groups, err := v.Discovery.ServerGroups()
	if err != nil {
		return err
	}
	for _, group := range groups.Groups {
		for _, version := range group.Versions {
			v.found.APIs = append(v.found.APIs, version.GroupVersion)
		}
	}
	return nil
}

// crds finds out who installed the definitions of our kinds. Each is asked for
// by name: a list would bring the annotations of everybody's.
func (v *survey) crds(ctx context.Context) error {
	var mutex sync.Mutex
	found := map[string]check.Definition{}
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range v.wanted.CRDs {
		group.Go(func() error {
			m, err := v.Metadata.Resource(session.CRDs).Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			mutex.Lock()
			defer mutex.Unlock()
			found[name] = check.Definition{Name: name, Release: marks.ReleaseOf(m)}
			return nil
		})
	}
	err := group.Wait()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		v.found.CRDs = append(v.found.CRDs, found[name])
	}
	return err
}

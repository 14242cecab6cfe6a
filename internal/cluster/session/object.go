package session

import (
	"cmp"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// CRDs is the resource of the definitions of kinds.
var CRDs = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Identity is an object within a cluster, without its version: one object may
// be served at several.
type Identity struct {
	schema.GroupResource
	Namespace, Name string
}

func (id Identity) String() string { return JoinName(id.Namespace, id.Name) }

// JoinName writes the name of an object; the namespace is empty for one of the
// cluster.
func JoinName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// Located is a rendered object with the place where it lives.
type Located struct {
	chart.Object
	ID       Identity
	Resource schema.GroupVersionResource
	// Served says that the cluster has the kind.
	Served bool
}

// Locate finds where an object of a release lives. One of a kind that the
// cluster does not serve lives in its release's namespace, as most do.
func (s *Session) Locate(object chart.Object, key fleet.Key) (Located, error) {
	m, err := s.Mapping(object.APIVersion, object.Kind)
	if meta.IsNoMatchError(err) {
		return Located{Object: object, ID: Identity{Namespace: cmp.Or(object.Namespace, key.Namespace), Name: object.Name}}, nil
	}
	if err != nil {
		return Located{}, s.Explain("look up "+object.Kind, err)
	}
	return LocateBy(m, object, key), nil
}

// LocateBy is Locate for a kind whose resource is known.
func LocateBy(m *meta.RESTMapping, object chart.Object, key fleet.Key) Located {
	namespace := object.Namespace
	switch {
	case m.Scope.Name() == meta.RESTScopeNameRoot:
		namespace = ""
	case namespace == "":
		namespace = key.Namespace
	}
	return Located{
		Object: object, Served: true, Resource: m.Resource,
		ID: Identity{GroupResource: m.Resource.GroupResource(), Namespace: namespace, Name: object.Name},
	}
}

// Client reads and writes objects like a located one; nil for a kind that the
// cluster does not serve.
func (s *Session) Client(l Located) dynamic.ResourceInterface {
	if !l.Served {
		return nil
	}
	return s.ClientFor(l.Resource, l.ID.Namespace)
}

// ClientFor reads and writes the objects of a resource in a namespace; an empty
// one is for objects of the cluster.
func (s *Session) ClientFor(resource schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return s.Dynamic.Resource(resource)
	}
	return s.Dynamic.Resource(resource).Namespace(namespace)
}

// NamespaceOf is where an object of a release lives; empty for an object of the
// cluster. A kind that is not served is an error.
func (s *Session) NamespaceOf(object chart.Object, key fleet.Key) (string, error) {
	m, err := s.Mapping(object.APIVersion, object.Kind)
	if err != nil {
		return "", err
	}
	return LocateBy(m, object, key).ID.Namespace, nil
}

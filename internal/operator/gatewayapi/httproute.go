// Package gatewayapi holds as much of the Gateway API's HTTPRoute as the operator
// writes: a host of a Gateway that leads to a Service.
package gatewayapi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of HTTPRoutes since they are stable.
var GroupVersion = schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}

// Kind is the kind of an HTTPRoute.
const Kind = "HTTPRoute"

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &HTTPRoute{}, &HTTPRouteList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// HTTPRoute leads requests that reach a Gateway for a host to a Service.
type HTTPRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec HTTPRouteSpec `json:"spec"`
}

// HTTPRouteList is a list of HTTPRoutes.
type HTTPRouteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []HTTPRoute `json:"items"`
}

// HTTPRouteSpec says which hosts of which Gateways lead where.
type HTTPRouteSpec struct {
	ParentRefs []ParentReference `json:"parentRefs"`
	Hostnames  []string          `json:"hostnames"`
	Rules      []HTTPRouteRule   `json:"rules"`
}

// ParentReference names a Gateway; without a namespace, one of the route's.
type ParentReference struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// HTTPRouteRule is taken by requests that match.
type HTTPRouteRule struct {
	Matches     []HTTPRouteMatch `json:"matches"`
	BackendRefs []BackendRef     `json:"backendRefs"`
}

// HTTPRouteMatch picks requests.
type HTTPRouteMatch struct {
	Path PathMatch `json:"path"`
}

// PathMatch is a path, and with type PathPrefix all below it.
type PathMatch struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// BackendRef is a port of a Service in the namespace of the route.
type BackendRef struct {
	Name string `json:"name"`
	Port int32  `json:"port"`
}

// DeepCopyObject implements runtime.Object.
func (r *HTTPRoute) DeepCopyObject() runtime.Object { return r.DeepCopy() }

// DeepCopy returns a copy that shares nothing with r.
func (r *HTTPRoute) DeepCopy() *HTTPRoute {
	if r == nil {
		return nil
	}
	out := &HTTPRoute{TypeMeta: r.TypeMeta, Spec: r.Spec.copy()}
	out.ObjectMeta = *r.ObjectMeta.DeepCopy()
	return out
}

// DeepCopyObject implements runtime.Object.
func (l *HTTPRouteList) DeepCopyObject() runtime.Object { return l.DeepCopy() }

// DeepCopy returns a copy that shares nothing with l.
func (l *HTTPRouteList) DeepCopy() *HTTPRouteList {
	if l == nil {
		return nil
	}
	out := &HTTPRouteList{TypeMeta: l.TypeMeta}
	out.ListMeta = *l.ListMeta.DeepCopy()
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}

func (s HTTPRouteSpec) copy() HTTPRouteSpec {
	out := HTTPRouteSpec{
		ParentRefs: append([]ParentReference(nil), s.ParentRefs...),
		Hostnames:  append([]string(nil), s.Hostnames...),
	}
	for _, rule := range s.Rules {
		out.Rules = append(out.Rules, HTTPRouteRule{
			Matches:     append([]HTTPRouteMatch(nil), rule.Matches...),
			BackendRefs: append([]BackendRef(nil), rule.BackendRefs...),
		})
	}
	return out
}

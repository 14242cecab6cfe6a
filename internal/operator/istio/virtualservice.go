// Package istio holds as much of Istio's VirtualService as the operator
// writes: a host of a gateway that leads to a Service. Istio's own Go types
// bring its whole API and protobuf along.
package istio

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what all supported versions of Istio serve.
var GroupVersion = schema.GroupVersion{Group: "networking.istio.io", Version: "v1beta1"}

// Kind is the kind of a VirtualService.
const Kind = "VirtualService"

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &VirtualService{}, &VirtualServiceList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// VirtualService routes requests that reach a gateway for a host.
type VirtualService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec VirtualServiceSpec `json:"spec"`
}

// VirtualServiceList is a list of VirtualServices.
type VirtualServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []VirtualService `json:"items"`
}

// VirtualServiceSpec says which hosts of which gateways lead where.
type VirtualServiceSpec struct {
	Hosts []string `json:"hosts"`
	// Gateways are namespace/name, or name in the namespace of the object.
	Gateways []string    `json:"gateways"`
	HTTP     []HTTPRoute `json:"http"`
}

// HTTPRoute is taken by requests that match.
type HTTPRoute struct {
	Match []HTTPMatch        `json:"match"`
	Route []RouteDestination `json:"route"`
}

// HTTPMatch picks requests.
type HTTPMatch struct {
	URI URIMatch `json:"uri"`
}

// URIMatch is a path and all below it.
type URIMatch struct {
	Prefix string `json:"prefix"`
}

// RouteDestination is one end of a route.
type RouteDestination struct {
	Destination Destination `json:"destination"`
}

// Destination is a port of a Service in the namespace of the object.
type Destination struct {
	Host string       `json:"host"`
	Port PortSelector `json:"port"`
}

// PortSelector is a port's number.
type PortSelector struct {
	Number int32 `json:"number"`
}

// DeepCopyObject implements runtime.Object.
func (v *VirtualService) DeepCopyObject() runtime.Object { return v.DeepCopy() }

// DeepCopy returns a copy that shares nothing with v.
func (v *VirtualService) DeepCopy() *VirtualService {
	if v == nil {
		return nil
	}
	out := &VirtualService{TypeMeta: v.TypeMeta, Spec: v.Spec.copy()}
	out.ObjectMeta = *v.ObjectMeta.DeepCopy()
	return out
}

// DeepCopyObject implements runtime.Object.
func (l *VirtualServiceList) DeepCopyObject() runtime.Object { return l.DeepCopy() }

// DeepCopy returns a copy that shares nothing with l.
func (l *VirtualServiceList) DeepCopy() *VirtualServiceList {
	if l == nil {
		return nil
	}
	out := &VirtualServiceList{TypeMeta: l.TypeMeta}
	out.ListMeta = *l.ListMeta.DeepCopy()
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}

func (s VirtualServiceSpec) copy() VirtualServiceSpec {
	out := VirtualServiceSpec{
		Hosts:    append([]string(nil), s.Hosts...),
		Gateways: append([]string(nil), s.Gateways...),
	}
	for _, route := range s.HTTP {
		out.HTTP = append(out.HTTP, HTTPRoute{
			Match: append([]HTTPMatch(nil), route.Match...),
			Route: append([]RouteDestination(nil), route.Route...),
		})
	}
	return out
}

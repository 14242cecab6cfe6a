// Package inferenceapi holds as much of the Gateway API inference extension's
// InferencePool as the operator writes: pods, and who picks among them.
package inferenceapi

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is that of InferencePools since they are stable.
var GroupVersion = schema.GroupVersion{Group: "inference.networking.k8s.io", Version: "v1"}

// ExperimentalGroup has the kinds that an endpoint picker reads beside its pool,
// and those of its configuration file.
const ExperimentalGroup = "inference.networking.x-k8s.io"

// KindInferencePool is the kind of an InferencePool.
const KindInferencePool = "InferencePool"

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &InferencePool{}, &InferencePoolList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// InferencePool is a backend of gateways: each request goes to the pod that the
// endpoint picker names.
type InferencePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec InferencePoolSpec `json:"spec"`
}

// InferencePoolList is a list of InferencePools.
type InferencePoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []InferencePool `json:"items"`
}

// InferencePoolSpec says which pods of the pool's namespace there are to pick from.
type InferencePoolSpec struct {
	Selector          LabelSelector     `json:"selector"`
	TargetPorts       []Port            `json:"targetPorts"`
	EndpointPickerRef EndpointPickerRef `json:"endpointPickerRef"`
}

// LabelSelector picks pods that have all these labels.
type LabelSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// Port is that of a pod, or of a Service.
type Port struct {
	Number int32 `json:"number"`
}

// EndpointPickerRef names a Service in the pool's namespace.
type EndpointPickerRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Port *Port  `json:"port,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (p *InferencePool) DeepCopyObject() runtime.Object { return p.DeepCopy() }

// DeepCopy returns a copy that shares nothing with p.
func (p *InferencePool) DeepCopy() *InferencePool {
	if p == nil {
		return nil
	}
	out := &InferencePool{TypeMeta: p.TypeMeta, Spec: p.Spec}
	out.ObjectMeta = *p.ObjectMeta.DeepCopy()
	out.Spec.Selector.MatchLabels = maps.Clone(p.Spec.Selector.MatchLabels)
	out.Spec.TargetPorts = slices.Clone(p.Spec.TargetPorts)
	if port := p.Spec.EndpointPickerRef.Port; port != nil {
		out.Spec.EndpointPickerRef.Port = &Port{Number: port.Number}
	}
	return out
}

// DeepCopyObject implements runtime.Object.
func (l *InferencePoolList) DeepCopyObject() runtime.Object { return l.DeepCopy() }

// DeepCopy returns a copy that shares nothing with l.
func (l *InferencePoolList) DeepCopy() *InferencePoolList {
	if l == nil {
		return nil
	}
	out := &InferencePoolList{TypeMeta: l.TypeMeta}
	out.ListMeta = *l.ListMeta.DeepCopy()
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}

// Package grove holds as much of Grove's API as the operator writes and reads: a
// PodCliqueSet is written whole, PodCliques and PodCliqueScalingGroups, which
// Grove makes of it, are observed and scaled. Grove's own Go types are made for
// older Kubernetes libraries; a test holds these against them.
package grove

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the one that Grove serves.
var GroupVersion = schema.GroupVersion{Group: "grove.io", Version: "v1alpha1"}

// KindPodCliqueSet is the kind of a PodCliqueSet.
const KindPodCliqueSet = "PodCliqueSet"

// Labels that Grove puts on what it makes of a PodCliqueSet.
const (
	// LabelPartOf is the name of the PodCliqueSet.
	LabelPartOf = "app.kubernetes.io/part-of"
	// LabelPodClique is, on pods, the name of their PodClique.
	LabelPodClique = "grove.io/podclique"
	// LabelScalingGroup is, on PodCliques, the name of their PodCliqueScalingGroup.
	LabelScalingGroup = "grove.io/podcliquescalinggroup"
)

// Resources are the kinds of this package, as the API server lists them.
func Resources() []string {
	return []string{"podcliquesets", "podcliques", "podcliquescalinggroups"}
}

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&PodCliqueSet{}, &PodCliqueSetList{}, &PodClique{}, &PodCliqueList{},
		&PodCliqueScalingGroup{}, &PodCliqueScalingGroupList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// PodCliqueSet is a gang of pods in several roles.
type PodCliqueSet struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PodCliqueSetSpec   `json:"spec"`
	Status PodCliqueSetStatus `json:"status,omitzero"`
}

// PodCliqueSetList is a list of PodCliqueSets.
type PodCliqueSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodCliqueSet `json:"items"`
}

// PodCliqueSetSpec is what a gang consists of.
type PodCliqueSetSpec struct {
	// Replicas are copies of the whole gang.
	Replicas int32                `json:"replicas,omitempty"`
	Template PodCliqueSetTemplate `json:"template"`
}

// PodCliqueSetTemplate is one gang. Grove lets nobody change which cliques and
// scaling groups there are, nor what they are started after.
type PodCliqueSetTemplate struct {
	Cliques          []PodCliqueTemplate    `json:"cliques"`
	StartupType      string                 `json:"cliqueStartupType,omitempty"`
	Headless         *HeadlessServiceConfig `json:"headlessServiceConfig,omitempty"`
	TerminationDelay *metav1.Duration       `json:"terminationDelay,omitempty"`
	ScalingGroups    []ScalingGroupConfig   `json:"podCliqueScalingGroups,omitempty"`
}

// Orders in which cliques start.
const (
	StartupAnyOrder = "CliqueStartupTypeAnyOrder"
	// StartupExplicit is by PodCliqueTemplateSpec.StartsAfter.
	StartupExplicit = "CliqueStartupTypeExplicit"
)

// HeadlessServiceConfig is that of the Service by which the pods know each other.
type HeadlessServiceConfig struct {
	PublishNotReadyAddresses bool `json:"publishNotReadyAddresses"`
}

// PodCliqueTemplate is one role. Its labels and annotations reach the pods.
type PodCliqueTemplate struct {
	Name        string                `json:"name"`
	Labels      map[string]string     `json:"labels,omitempty"`
	Annotations map[string]string     `json:"annotations,omitempty"`
	Spec        PodCliqueTemplateSpec `json:"spec"`
}

// PodCliqueTemplateSpec is what the pods of a role are.
type PodCliqueTemplateSpec struct {
	RoleName string         `json:"roleName"`
	PodSpec  corev1.PodSpec `json:"podSpec"`
	Replicas int32          `json:"replicas"`
	// MinAvailable pods are scheduled as one, and with fewer the gang ends.
	MinAvailable int32    `json:"minAvailable,omitempty"`
	StartsAfter  []string `json:"startsAfter,omitempty"`
}

// ScalingGroupConfig makes of cliques a unit that is replicated as one.
type ScalingGroupConfig struct {
	Name         string   `json:"name"`
	CliqueNames  []string `json:"cliqueNames"`
	Replicas     int32    `json:"replicas,omitempty"`
	MinAvailable int32    `json:"minAvailable,omitempty"`
}

// PodCliqueSetStatus is what Grove says of a set.
type PodCliqueSetStatus struct {
	ObservedGeneration *int64      `json:"observedGeneration,omitempty"`
	LastErrors         []LastError `json:"lastErrors,omitempty"`
}

// LastError is one that Grove met.
type LastError struct {
	Code        string      `json:"code"`
	Description string      `json:"description"`
	ObservedAt  metav1.Time `json:"observedAt"`
}

// PodClique is the pods of one role, of which only this much is read.
type PodClique struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ScaledSpec      `json:"spec"`
	Status PodCliqueStatus `json:"status,omitzero"`
}

// PodCliqueList is a list of PodCliques.
type PodCliqueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodClique `json:"items"`
}

// ScaledSpec is how many there are to be.
type ScaledSpec struct {
	Replicas int32 `json:"replicas"`
}

// PodCliqueStatus counts pods.
type PodCliqueStatus struct {
	ObservedGeneration *int64      `json:"observedGeneration,omitempty"`
	LastErrors         []LastError `json:"lastErrors,omitempty"`
	Replicas           int32       `json:"replicas,omitempty"`
	ReadyReplicas      int32       `json:"readyReplicas"`
	UpdatedReplicas    int32       `json:"updatedReplicas"`
}

// PodCliqueScalingGroup is the copies of some cliques.
type PodCliqueScalingGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ScaledSpec         `json:"spec"`
	Status ScalingGroupStatus `json:"status,omitzero"`
}

// PodCliqueScalingGroupList is a list of PodCliqueScalingGroups.
type PodCliqueScalingGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodCliqueScalingGroup `json:"items"`
}

// ScalingGroupStatus counts copies.
type ScalingGroupStatus struct {
	ObservedGeneration *int64      `json:"observedGeneration,omitempty"`
	LastErrors         []LastError `json:"lastErrors,omitempty"`
	Replicas           int32       `json:"replicas,omitempty"`
	AvailableReplicas  int32       `json:"availableReplicas"`
	UpdatedReplicas    int32       `json:"updatedReplicas"`
}

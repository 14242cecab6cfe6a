package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// DynamoWorkerMetadataSpec is what a worker tells about itself.
type DynamoWorkerMetadataSpec struct {
	// Data are the worker's endpoints, model cards and event channels, as the runtime wrote them.
	// +kubebuilder:pruning:PreserveUnknownFields
	Data runtime.RawExtension `json:"data"`
}

// DynamoWorkerMetadata is the discovery record of one worker pod. The pod writes it under its own
// name and owns it; nobody else edits it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=dynamoworkermetadatas,shortName=dwm,categories=dynamo
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type DynamoWorkerMetadata struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the worker tells about itself.
	Spec DynamoWorkerMetadataSpec `json:"spec,omitempty"`
}

// DynamoWorkerMetadataList is a list of DynamoWorkerMetadata.
//
// +kubebuilder:object:root=true
type DynamoWorkerMetadataList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DynamoWorkerMetadata `json:"items"`
}

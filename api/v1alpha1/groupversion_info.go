package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all kinds in this package.
const GroupName = "nvidia.com"

// GroupVersion identifies the API group and version of all kinds in this package.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme registers all kinds of this package in a scheme.
var AddToScheme = schemeBuilder.AddToScheme

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&DynamoGraphDeployment{}, &DynamoGraphDeploymentList{},
		&DynamoComponentDeployment{}, &DynamoComponentDeploymentList{},
		&DynamoGraphDeploymentRequest{}, &DynamoGraphDeploymentRequestList{},
		&DynamoModel{}, &DynamoModelList{},
		&DynamoCheckpoint{}, &DynamoCheckpointList{},
		&DynamoGraphDeploymentScalingAdapter{}, &DynamoGraphDeploymentScalingAdapterList{},
		&DynamoWorkerMetadata{}, &DynamoWorkerMetadataList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// Kinds of this package, for owner references and messages.
const (
	KindGraphDeployment        = "DynamoGraphDeployment"
	KindComponentDeployment    = "DynamoComponentDeployment"
	KindGraphDeploymentRequest = "DynamoGraphDeploymentRequest"
	KindModel                  = "DynamoModel"
	KindCheckpoint             = "DynamoCheckpoint"
	KindScalingAdapter         = "DynamoGraphDeploymentScalingAdapter"
	KindWorkerMetadata         = "DynamoWorkerMetadata"
)

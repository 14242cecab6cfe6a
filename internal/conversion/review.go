package conversion

import (
	"encoding/json"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// Review answers a ConversionReview of apiextensions.k8s.io/v1, as the API server sends it. The error is
// for a body that is none, and so has no answer: it belongs with status 400.
func Review(body []byte) ([]byte, error) {
	var review apiextensionsv1.ConversionReview
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, fmt.Errorf("read the ConversionReview: %w", err)
	}
	if review.Request == nil || review.APIVersion != apiextensionsv1.SchemeGroupVersion.String() || review.Kind != "ConversionReview" {
		return nil, fmt.Errorf("want a ConversionReview of %s with a request, got kind %q of %q", apiextensionsv1.SchemeGroupVersion, review.Kind, review.APIVersion)
	}
	review.Response = Respond(review.Request)
	review.Request = nil
	return json.Marshal(review)
}

// Respond converts all objects of a request, or says which of them it cannot.
func Respond(request *apiextensionsv1.ConversionRequest) *apiextensionsv1.ConversionResponse {
	response := &apiextensionsv1.ConversionResponse{UID: request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for i, object := range request.Objects {
		converted, err := Object(object.Raw, request.DesiredAPIVersion)
		if err != nil {
			response.ConvertedObjects = nil
			response.Result = metav1.Status{
				Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid,
				Message: fmt.Sprintf("convert object %d of %d to %s: %v", i+1, len(request.Objects), request.DesiredAPIVersion, err),
			}
			return response
		}
		response.ConvertedObjects = append(response.ConvertedObjects, runtime.RawExtension{Raw: converted})
	}
	return response
}

// Object converts one object, as JSON, to nvidia.com/v1alpha1 or nvidia.com/v1beta1. One that is of that
// version comes back as it is. An error names the object, which nobody can write if it would lose something.
func Object(object []byte, version string) ([]byte, error) {
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(object, &meta); err != nil {
		return nil, fmt.Errorf("read the object: %w", err)
	}
	if meta.APIVersion == version {
		return object, nil
	}
	convert := converters[meta.APIVersion][meta.Kind]
	_, known := converters[version]
	if convert == nil || !known {
		return nil, fmt.Errorf("%s %s of %s: there is no way to %s", meta.Kind, qualified(meta.ObjectMeta), meta.APIVersion, version)
	}
	converted, err := convert(object)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", meta.Kind, qualified(meta.ObjectMeta), err)
	}
	switch stored := version == v1alpha1.GroupVersion.String(); {
	case stored && keepsTooMuch(object):
		return nil, fmt.Errorf("%s %s says more than %d KiB that %s has no words for: write it in %s", meta.Kind, qualified(meta.ObjectMeta), mostKept>>10, meta.APIVersion, version)
	case stored && keepsTooMuch(converted):
		return nil, fmt.Errorf("%s %s says more than %d KiB that %s, in which it is stored, has no words for: make it smaller", meta.Kind, qualified(meta.ObjectMeta), mostKept>>10, version)
	}
	return converted, nil
}

// Converts reports whether there is a second version of a kind.
func Converts(version, kind string) bool { return converters[version][kind] != nil }

// Bare returns a converted object without our annotations, and whether that is enough: whether it has all
// that has an effect of the object that it was converted from. Claims that a graph of v1alpha1 only
// names have none.
func Bare(from, converted []byte) (bare []byte, enough bool, err error) {
	var object map[string]any
	if err := json.Unmarshal(converted, &object); err != nil {
		return nil, false, fmt.Errorf("read the object: %w", err)
	}
	if metadata, is := object["metadata"].(map[string]any); is {
		if annotations, is := metadata["annotations"].(map[string]any); is {
			delete(annotations, specAnnotation)
			delete(annotations, statusAnnotation)
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
	}
	if bare, err = json.Marshal(object); err != nil {
		return nil, false, fmt.Errorf("write the object: %w", err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(from, &meta); err != nil {
		return nil, false, fmt.Errorf("read the object: %w", err)
	}
	back, err := Object(bare, meta.APIVersion)
	if err != nil {
		return nil, false, err
	}
	before, err := effect(from)
	if err != nil {
		return nil, false, err
	}
	after, err := effect(back)
	return bare, same(before, after), err
}

// effect is what of a spec has one, in v1alpha1 and in one way.
func effect(object []byte) (any, error) {
	alpha, err := Object(object, v1alpha1.GroupVersion.String())
	if err != nil {
		return nil, err
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(alpha, &meta); err != nil {
		return nil, err
	}
	switch meta.Kind {
	case v1alpha1.KindGraphDeployment:
		graph := &v1alpha1.DynamoGraphDeployment{}
		err = json.Unmarshal(alpha, graph)
		for name := range graph.Spec.Services {
			graph.Spec.Services[name] = InOneWay(name, service(graph.Spec.Services, name))
		}
		graph.Spec.PVCs = slices.DeleteFunc(graph.Spec.PVCs, func(pvc v1alpha1.PVC) bool { return !pvc.Create })
		return graph.Spec, err
	case v1alpha1.KindComponentDeployment:
		component := &v1alpha1.DynamoComponentDeployment{}
		err = json.Unmarshal(alpha, component)
		spec := &component.Spec.DynamoComponentDeploymentSharedSpec
		component.Spec.DynamoComponentDeploymentSharedSpec = *InOneWay(component.Name, spec)
		return component.Spec, err
	case v1alpha1.KindGraphDeploymentRequest:
		request := &v1alpha1.DynamoGraphDeploymentRequest{}
		err = json.Unmarshal(alpha, request)
		return RequestToBeta(request).Spec, err
	}
	adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{}
	err = json.Unmarshal(alpha, adapter)
	return adapter.Spec, err
}

func qualified(meta metav1.ObjectMeta) string {
	if meta.Namespace == "" {
		return meta.Name
	}
	return meta.Namespace + "/" + meta.Name
}

// converters are by the version and kind of what they convert.
var converters = map[string]map[string]func([]byte) ([]byte, error){
	v1alpha1.GroupVersion.String(): {
		v1alpha1.KindGraphDeployment:        via(GraphToBeta),
		v1alpha1.KindComponentDeployment:    via(ComponentToBeta),
		v1alpha1.KindScalingAdapter:         via(AdapterToBeta),
		v1alpha1.KindGraphDeploymentRequest: via(RequestToBeta),
	},
	v1beta1.GroupVersion.String(): {
		v1alpha1.KindGraphDeployment:        via(GraphToAlpha),
		v1alpha1.KindComponentDeployment:    via(ComponentToAlpha),
		v1alpha1.KindScalingAdapter:         via(AdapterToAlpha),
		v1alpha1.KindGraphDeploymentRequest: via(RequestToAlpha),
	},
}

func via[From, To any](convert func(*From) *To) func([]byte) ([]byte, error) {
	return func(object []byte) ([]byte, error) {
		from := new(From)
		if err := json.Unmarshal(object, from); err != nil {
			return nil, fmt.Errorf("read it: %w", err)
		}
		return json.Marshal(convert(from))
	}
}

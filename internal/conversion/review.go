package conversion

import (
	"encoding/json"
	"fmt"

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
// version comes back as it is. An error names the object.
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
	return converted, nil
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

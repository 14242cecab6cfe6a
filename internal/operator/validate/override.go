package validate

import (
	"bytes"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

// graphOverride checks a partial graph by itself: whether the whole one is right can
// be said when there is one.
func graphOverride(path *field.Path, override *runtime.RawExtension) field.ErrorList {
	var head metav1.PartialObjectMetadata
	if err := json.Unmarshal(override.Raw, &head); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be a "+v1alpha1.KindGraphDeployment+": "+err.Error())}
	}
	var typed any
	switch {
	case head.Kind != v1alpha1.KindGraphDeployment:
		return field.ErrorList{field.NotSupported(path.Child("kind"), head.Kind, []string{v1alpha1.KindGraphDeployment})}
	case head.APIVersion == v1beta1.GroupVersion.String():
		typed = &v1beta1.DynamoGraphDeployment{}
	case head.APIVersion == v1alpha1.GroupVersion.String():
		typed = &v1alpha1.DynamoGraphDeployment{}
	default:
		return field.ErrorList{field.NotSupported(path.Child("apiVersion"), head.APIVersion, []string{v1alpha1.GroupVersion.String(), v1beta1.GroupVersion.String()})}
	}
	decoder := json.NewDecoder(bytes.NewReader(override.Raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(typed); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	var errs field.ErrorList
	var object map[string]json.RawMessage
	if err := json.Unmarshal(override.Raw, &object); err == nil && object["status"] != nil {
		errs = append(errs, field.Forbidden(path.Child("status"), "the status is the operator's: remove it"))
	}
	meta := head.ObjectMeta
	meta.Name, meta.Labels, meta.Annotations = "", nil, nil
	if !conversion.Same(meta, metav1.ObjectMeta{}) {
		errs = append(errs, field.Forbidden(path.Child("metadata"), "of this, only name, labels and annotations have an effect: remove the rest"))
	}
	return errs
}

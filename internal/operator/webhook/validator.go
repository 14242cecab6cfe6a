package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// validator answers for one kind.
type validator struct {
	Options
	kind lifecycle.Kind
}

// Handle implements admission.Handler.
func (v *validator) Handle(ctx context.Context, request admission.Request) admission.Response {
	w, err := v.read(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if w.Old != nil && w.Object.GetDeletionTimestamp() != nil {
		return v.leaving(request, w)
	}
	began := time.Now()
	warnings, err := v.answer(ctx, request, w)
	metrics.Answered(v.kindName(), string(request.Operation), time.Since(began), err)
	var refusal apierrors.APIStatus
	switch {
	case err == nil:
		return admission.Allowed("").WithWarnings(warnings...)
	case errors.As(err, &refusal):
		status := refusal.Status()
		return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}.WithWarnings(warnings...)
	}
	return admission.Errored(http.StatusInternalServerError, err)
}

// leaving answers for an object that is being deleted. Taking off a finalizer
// must be possible whatever else is wrong, but nobody would act on another spec.
func (v *validator) leaving(request admission.Request, w lifecycle.Writing) admission.Response {
	if w.ByOperator || !specDiffers(request.OldObject.Raw, request.Object.Raw) {
		return admission.Allowed("")
	}
	status := apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind(v.kindName()).GroupKind(), w.Object.GetName(), field.ErrorList{
		field.Forbidden(field.NewPath("spec"), "the object is being deleted, and its spec has no effect any more: create it anew when it is gone"),
	}).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
}

func specDiffers(old, object []byte) bool {
	var before, after struct {
		Spec any `json:"spec"`
	}
	if json.Unmarshal(old, &before) != nil || json.Unmarshal(object, &after) != nil {
		return true
	}
	return !reflect.DeepEqual(before, after)
}

// read takes the objects out of a request.
func (v *validator) read(request admission.Request) (w lifecycle.Writing, err error) {
	decoder := admission.NewDecoder(v.Scheme)
	w = lifecycle.Writing{
		Author: request.UserInfo.Username, ByOperator: request.UserInfo.Username == v.OperatorUser,
		Config: v.Config, Cluster: v.Cluster(),
		Object: v.kind.Object.DeepCopyObject().(client.Object),
	}
	if err := decoder.DecodeRaw(request.Object, w.Object); err != nil {
		return w, err
	}
	if request.Operation != admissionv1.Update {
		return w, nil
	}
	w.Old = v.kind.Object.DeepCopyObject().(client.Object)
	return w, decoder.DecodeRaw(request.OldObject, w.Old)
}

// answer refuses with an error that is an API status.
func (v *validator) answer(ctx context.Context, request admission.Request, w lifecycle.Writing) (warnings []string, err error) {
	served, err := v.Serves(ctx, w.Object.GetNamespace())
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("validate %s: %w", v.describe(w.Object), err))
	}
	if !served {
		return nil, nil
	}
	errs, warnings := v.check(w)
	if len(errs) == 0 && v.kind.Admission.Needs != nil && !w.ByOperator {
		errs, err = v.Authors.check(ctx, request.UserInfo, w.Object.GetNamespace(), v.kind.Admission.Needs(w))
		if err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("authorize the author of %s: %w", v.describe(w.Object), err))
		}
	}
	if request.RequestKind != nil && request.RequestKind.Version == v1beta1.GroupVersion.Version {
		errs, warnings = validate.InBeta(errs, warnings, w.Object)
	}
	if len(errs) == 0 {
		return warnings, nil
	}
	kind := v1alpha1.GroupVersion.WithKind(v.kindName()).GroupKind()
	return warnings, apierrors.NewInvalid(kind, w.Object.GetName(), errs)
}

// check applies the rules of the kind.
func (v *validator) check(w lifecycle.Writing) (errs field.ErrorList, warnings []string) {
	if v.kind.Validate != nil {
		errs, warnings = v.kind.Validate(w.Object, v.Config)
	}
	if v.kind.Admission.Refuse != nil {
		errs = append(errs, v.kind.Admission.Refuse(w)...)
	}
	if v.kind.Admission.Warn != nil && len(errs) == 0 {
		warnings = append(warnings, v.kind.Admission.Warn(w)...)
	}
	return validate.Printable(errs, warnings)
}

func (v *validator) describe(object client.Object) string {
	return fmt.Sprintf("%s %s/%s", v.kindName(), object.GetNamespace(), object.GetName())
}

// kindName is "" for a kind that the scheme lacks, of which there is none.
func (v *validator) kindName() string {
	kind, err := apiutil.GVKForObject(v.kind.Object, v.Scheme)
	if err != nil {
		return ""
	}
	return kind.Kind
}

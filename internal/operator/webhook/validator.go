package webhook

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// validator answers for one kind.
type validator[T client.Object] struct {
	kind   string
	serves func(ctx context.Context, namespace string) (bool, error)
	// check applies the rules. old is nil for a new object.
	check func(user authenticationv1.UserInfo, old, object T) (field.ErrorList, []string)
	// rights are those that the author needs for what passed; nil needs none.
	rights  func(user authenticationv1.UserInfo, old, object T) []validate.Right
	authors Authors
}

// ValidateCreate implements admission.Validator.
func (v *validator[T]) ValidateCreate(ctx context.Context, object T) (admission.Warnings, error) {
	var none T
	return v.answer(ctx, none, object)
}

// ValidateUpdate implements admission.Validator.
func (v *validator[T]) ValidateUpdate(ctx context.Context, old, object T) (admission.Warnings, error) {
	// Taking off a finalizer must be possible whatever else is wrong.
	if object.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	return v.answer(ctx, old, object)
}

// ValidateDelete implements admission.Validator. No webhook asks for it.
func (v *validator[T]) ValidateDelete(context.Context, T) (admission.Warnings, error) {
	return nil, nil
}

func (v *validator[T]) answer(ctx context.Context, old, object T) (admission.Warnings, error) {
	began := time.Now()
	warnings, err := v.judge(ctx, old, object)
	if request, missing := admission.RequestFromContext(ctx); missing == nil {
		metrics.Answered(v.kind, string(request.Operation), time.Since(began), err)
	}
	return warnings, err
}

func (v *validator[T]) judge(ctx context.Context, old, object T) (admission.Warnings, error) {
	served, err := v.serves(ctx, object.GetNamespace())
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("validate %s %s/%s: %w", v.kind, object.GetNamespace(), object.GetName(), err))
	}
	if !served {
		return nil, nil
	}
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	errs, warnings := v.check(request.UserInfo, old, object)
	if len(errs) == 0 && v.rights != nil {
		errs, err = v.authors.check(ctx, request.UserInfo, object.GetNamespace(), v.rights(request.UserInfo, old, object))
		if err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("authorize the author of %s %s/%s: %w", v.kind, object.GetNamespace(), object.GetName(), err))
		}
	}
	if len(errs) > 0 {
		kind := v1alpha1.GroupVersion.WithKind(v.kind).GroupKind()
		return warnings, apierrors.NewInvalid(kind, object.GetName(), errs)
	}
	return warnings, nil
}

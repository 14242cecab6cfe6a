package component

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

var admission = lifecycle.Admission{Refuse: refuse, Needs: needs}

func refuse(w lifecycle.Writing) (errs field.ErrorList) {
	dcd := w.Object.(*v1alpha1.DynamoComponentDeployment)
	old, isUpdate := w.Old.(*v1alpha1.DynamoComponentDeployment)
	if !w.ByOperator {
		errs = validate.ComponentOrigin(old, dcd)
	}
	if isUpdate {
		errs = append(errs, validate.ComponentUpdate(old, dcd)...)
	}
	return errs
}

func needs(w lifecycle.Writing) []validate.Right {
	dcd := w.Object.(*v1alpha1.DynamoComponentDeployment)
	if old, isUpdate := w.Old.(*v1alpha1.DynamoComponentDeployment); isUpdate && validate.ComponentOnlyScales(old, dcd) {
		return nil
	}
	return validate.ComponentRights(dcd, w.Config)
}

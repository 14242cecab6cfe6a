package graph

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

var admission = lifecycle.Admission{Refuse: refuse, Warn: warn, Needs: needs}

// refuse: the operator and the planners of the namespace may change the replicas
// of a service that has a scaling adapter.
func refuse(w lifecycle.Writing) field.ErrorList {
	dgd := w.Object.(*v1alpha1.DynamoGraphDeployment)
	errs := validate.NoGang(dgd)
	if len(errs) > 0 {
		if path, err := render.PathwayOf(dgd, w.Cluster, render.ChosenPath(dgd)); err == nil && path.Name == render.PathGrove {
			errs = nil
		}
	}
	old, isUpdate := w.Old.(*v1alpha1.DynamoGraphDeployment)
	if !isUpdate {
		return errs
	}
	mayScale := w.ByOperator || w.ByAccount(render.PlannerServiceAccount)
	return append(errs, validate.GraphUpdate(old, dgd, mayScale)...)
}

func warn(w lifecycle.Writing) []string {
	var warnings []string
	dgd := w.Object.(*v1alpha1.DynamoGraphDeployment)
	if _, _, err := pathway.Choose(pathways, dgd, w.Cluster, render.ChosenPath(dgd)); err != nil {
		warnings = append(warnings, "the graph will not be deployed: "+err.Error())
	}
	if old, isUpdate := w.Old.(*v1alpha1.DynamoGraphDeployment); isUpdate {
		if err := fixedByGrove(old, dgd, w); err != nil {
			warnings = append(warnings, "the change will not be carried out: "+err.Error())
		} else if replacesTogether(old, dgd, w) {
			warnings = append(warnings, replacedByGrove)
		}
	}
	if missing := render.MissingNATS(dgd, w.Config.Infrastructure.NATSAddress); len(missing) > 0 {
		warnings = append(warnings, render.NoNATS(missing))
	}
	return warnings
}

const replacedByGrove = "workers of the former spec do not stay until those of this one serve: the graph runs through Grove, which replaces the pods of its gang itself. " +
	"They serve no request together, so requests fail while Grove is at it"

// replacesTogether: a change makes a new generation of workers, in a graph whose
// former one cannot be kept beside it.
func replacesTogether(old, updated *v1alpha1.DynamoGraphDeployment, w lifecycle.Writing) bool {
	if path, err := render.PathwayOf(updated, w.Cluster, render.ChosenPath(old)); err != nil || path.Name != render.PathGrove {
		return false
	}
	hash := render.WorkerHash(updated, render.Current)
	return hash != "" && hash != render.WorkerHash(old, render.Current)
}

// fixedByGrove returns what of a change Grove would not let happen to a graph that
// runs through it and goes on doing so.
func fixedByGrove(old, updated *v1alpha1.DynamoGraphDeployment, w lifecycle.Writing) error {
	chosen := render.ChosenPath(old)
	if path, _ := render.PathwayOf(updated, w.Cluster, chosen); chosen != render.PathGrove || path.Name != render.PathGrove {
		return nil
	}
	before := carriedOut(old, w)
	if before == nil {
		return nil
	}
	after, err := render.Grove(updated, w.Config, w.Cluster, nil, render.Current)
	if err != nil {
		return err
	}
	return render.Fixed(before.Set, after.Set)
}

// carriedOut is what runs of a graph through Grove. What could not be carried out is
// no measure: a change may take it back.
func carriedOut(dgd *v1alpha1.DynamoGraphDeployment, w lifecycle.Writing) *render.GroveObjects {
	if ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Reason == reasonUnsupported {
		return nil
	}
	if gang, err := render.Grove(dgd, w.Config, w.Cluster, nil, render.Current); err == nil {
		return gang
	}
	return nil
}

// needs: a change of replicas alone is the business of autoscalers, which create
// no pods themselves.
func needs(w lifecycle.Writing) []validate.Right {
	dgd := w.Object.(*v1alpha1.DynamoGraphDeployment)
	if old, isUpdate := w.Old.(*v1alpha1.DynamoGraphDeployment); isUpdate && validate.GraphOnlyScales(old, dgd) {
		return nil
	}
	return validate.GraphRights(dgd, w.Config)
}

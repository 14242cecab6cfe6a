package model

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Kind is the kind DynamoModel.
func Kind() lifecycle.Kind {
	calls := newCalls()
	return lifecycle.Kind{
		Name:      "model",
		Recorder:  "dynamomodel",
		Resource:  "dynamomodels",
		Finalizer: true,
		Object:    &v1alpha1.DynamoModel{},
		List:      &v1alpha1.DynamoModelList{},
		// Pods are cached, and may be read, for components.
		Watch: func(operator *lifecycle.Operator, build *builder.Builder) {
			build.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(finder{operator.Client}.ofPod))
			build.WatchesRawSource(source.Channel(calls.ended, &handler.EnqueueRequestForObject{}))
		},
		Validate: func(object client.Object, _ *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.Model(object.(*v1alpha1.DynamoModel)), nil
		},
		Admission: lifecycle.Admission{Refuse: refuse},
		Begin: func(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
			return begin(visit, object.(*v1alpha1.DynamoModel), calls)
		},
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoModel).Status.Conditions, v1alpha1.ConditionEndpointsReady)
		},
		Farewell: func(ctx context.Context, visit *lifecycle.Visit, object client.Object) error {
			return begin(visit, object.(*v1alpha1.DynamoModel), calls).farewell(ctx)
		},
	}
}

// refuse: what a model is may not change.
func refuse(w lifecycle.Writing) field.ErrorList {
	old, isUpdate := w.Old.(*v1alpha1.DynamoModel)
	if !isUpdate {
		return nil
	}
	return validate.ModelUpdate(old, w.Object.(*v1alpha1.DynamoModel))
}

type finder struct{ client.Reader }

// ofPod are the models whose base model a pod runs, and, for a frontend, those of
// its namespace.
func (f finder) ofPod(ctx context.Context, pod client.Object) []reconcile.Request {
	hash := pod.GetLabels()[v1alpha1.LabelBaseModelHash]
	frontend := pod.GetLabels()[v1alpha1.LabelComponentType] == v1alpha1.ComponentTypeFrontend || pod.GetLabels()[v1alpha1.LabelComponentClass] != ""
	if hash == "" && !frontend {
		return nil
	}
	var list v1alpha1.DynamoModelList
	if err := f.List(ctx, &list, client.InNamespace(pod.GetNamespace())); err != nil {
		log.FromContext(ctx).Error(err, "cannot list models", "namespace", pod.GetNamespace())
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if hash == "" || render.ModelHash(list.Items[i].Spec.BaseModelName) == hash {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

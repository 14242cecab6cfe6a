package checkpoint

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Kind is the kind DynamoCheckpoint.
func Kind() lifecycle.Kind {
	return lifecycle.Kind{
		Name:     "checkpoint",
		Recorder: "checkpoint",
		Resource: "dynamocheckpoints",
		Object:   &v1alpha1.DynamoCheckpoint{},
		List:     &v1alpha1.DynamoCheckpointList{},
		Rights:   rights,
		Cached: func(cluster render.Capabilities) map[client.Object]cache.ByObject {
			if !cluster.Checkpoints {
				return nil
			}
			return map[client.Object]cache.ByObject{&batchv1.Job{}: lifecycle.Ours()}
		},
		Owned: func(cluster render.Capabilities) []client.Object {
			if !cluster.Checkpoints {
				return nil
			}
			return []client.Object{&batchv1.Job{}}
		},
		Watch: func(operator *lifecycle.Operator, build *builder.Builder) {
			if operator.Cluster.Checkpoints {
				build.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofPod))
			}
		},
		Validate: func(object client.Object, cfg *config.OperatorConfiguration) (field.ErrorList, []string) {
			return validate.Checkpoint(object.(*v1alpha1.DynamoCheckpoint), cfg), nil
		},
		Admission: lifecycle.Admission{Refuse: refuse, Warn: warn, Needs: needs},
		Begin:     begin,
		State: func(object client.Object) (state, reason string) {
			return lifecycle.ReadyOrNot(object.(*v1alpha1.DynamoCheckpoint).Status.Conditions, v1alpha1.ConditionReady)
		},
	}
}

func rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	if !cfg.Checkpoint.Enabled {
		return nil
	}
	return []rbacv1.PolicyRule{
		lifecycle.Rule("batch", "jobs", "get", "list", "watch", "create"),
		lifecycle.Rule(v1alpha1.GroupName, "dynamocheckpoints", "create", "delete"),
	}
}

// refuse: what a checkpoint is of does not change.
func refuse(w lifecycle.Writing) field.ErrorList {
	old, isUpdate := w.Old.(*v1alpha1.DynamoCheckpoint)
	if !isUpdate {
		return nil
	}
	return validate.CheckpointUpdate(old, w.Object.(*v1alpha1.DynamoCheckpoint))
}

func warn(w lifecycle.Writing) []string {
	if w.Config.Checkpoint.Enabled {
		return nil
	}
	return []string{off}
}

func needs(w lifecycle.Writing) []validate.Right {
	return validate.CheckpointRights(w.Object.(*v1alpha1.DynamoCheckpoint))
}

// ofPod is the checkpoint whose Job runs in a pod.
func ofPod(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[v1alpha1.LabelCheckpointName]
	if name == "" || pod.GetLabels()[v1alpha1.LabelSelector] != render.CheckpointPods(name) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: name}}}
}

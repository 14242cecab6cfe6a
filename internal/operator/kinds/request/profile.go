package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// profile starts the Job, behind what its pods need.
func (l *life) profile(ctx context.Context) error {
	if !l.in(v1alpha1.RequestStatePending) {
		return nil
	}
	if l.Config.Profiling.PublisherImage == "" {
		return lifecycle.Refuse(reasonJobCreationFailed, "the operator's configuration lacks profiling.publisherImage")
	}
	err := l.access(ctx)
	if err == nil {
		err = l.prepareResults(ctx)
	}
	if err == nil {
		err = l.startJob(ctx)
	}
	if notOurs := (*apply.NotOursError)(nil); errors.As(err, &notOurs) || apierrors.IsInvalid(err) {
		l.LookAgain(later)
		return lifecycle.Refuse(reasonJobCreationFailed, err.Error())
	}
	return err
}

// access is what all Jobs of the namespace run as. A restricted operator's chart
// has made it.
func (l *life) access(ctx context.Context) error {
	if !l.Config.ClusterWide() {
		return nil
	}
	if l.Config.RBAC.DGDRProfilingClusterRoleName == "" {
		return lifecycle.Refuse(reasonJobCreationFailed, "the operator's configuration lacks rbac.dgdrProfilingClusterRoleName")
	}
	var standard corev1.ServiceAccount
	err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.request.Namespace, Name: "default"}, &standard)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read ServiceAccount %s/default: %w", l.request.Namespace, err)
	}
	account, binding := render.ProfilingAccess(l.request.Namespace, l.Config, standard.ImagePullSecrets)
	if err := l.Apply.ApplyShared(ctx, l.request, account); err != nil {
		return err
	}
	return l.Apply.ApplyShared(ctx, l.request, binding)
}

// prepareResults makes the ConfigMap that takes the results, so that the Job needs
// no right but to write to it.
func (l *life) prepareResults(ctx context.Context) error {
	output, role, binding := render.ProfilingResults(l.request)
	if err := l.own(ctx, output, l.request); err != nil {
		return err
	}
	if err := l.Apply.Apply(ctx, l.request, role); err != nil {
		return err
	}
	return l.Apply.Apply(ctx, l.request, binding)
}

func (l *life) startJob(ctx context.Context) error {
	hardware := render.Hardware{}
	if l.spec.EnableGPUDiscovery {
		var nodes corev1.NodeList
		if err := l.Live.List(ctx, &nodes); err != nil {
			return fmt.Errorf("list the nodes and their GPUs: %w", err)
		}
		hardware = hardwareOf(nodes.Items)
	}
	job, err := render.ProfilingJob(l.request, l.Config, hardware)
	if err != nil {
		return lifecycle.Refuse(reasonJobCreationFailed, err.Error())
	}
	if err := l.Apply.Ensure(ctx, l.request, job); err != nil {
		return err
	}
	l.job = job
	l.request.Status.State = v1alpha1.RequestStateProfiling
	l.note(v1alpha1.ConditionProfiling, false, "ProfilingRunning", "Job "+job.Name+" runs")
	l.tell("ProfilingJobCreated", "Profiles in Job "+job.Name)
	l.WriteNow()
	return nil
}

// profiled reports whether the Job has succeeded, and tells how it does.
func (l *life) profiled(ctx context.Context) (bool, error) {
	if l.job == nil {
		return false, lifecycle.Refuse(reasonProfilingJobFailed, "Job "+render.ProfilingJobName(l.request.Name)+" was deleted before it had ended")
	}
	end := diagnose.Ended(l.job)
	if end != nil && end.Type == batchv1.JobComplete {
		l.note(v1alpha1.ConditionProfiling, true, "ProfilingCompleted", "Job "+l.job.Name+" has ended")
		return true, nil
	}
	// The cache of pods may lag behind the Job's end, which is told but once.
	reader := client.Reader(l.Client)
	if end != nil {
		reader = l.Live
	}
	var pods corev1.PodList
	err := reader.List(ctx, &pods, client.InNamespace(l.request.Namespace), client.MatchingLabels{v1alpha1.LabelSelector: render.ProfilingPods(l.request.Name)})
	if err != nil {
		return false, fmt.Errorf("list the pods of Job %s/%s: %w", l.job.Namespace, l.job.Name, err)
	}
	why := diagnose.Job(pods.Items)
	if end != nil {
		return false, lifecycle.Refuse(reasonProfilingJobFailed, fmt.Sprintf("Job %s failed: %s", l.job.Name, cmp.Or(why, end.Message)))
	}
	message := "Job " + l.job.Name + " runs"
	if why != "" {
		message += ": " + why
	}
	l.note(v1alpha1.ConditionProfiling, false, "ProfilingRunning", message)
	return false, nil
}

// own creates an object of owner's, unless owner has it already.
func (l *life) own(ctx context.Context, object *corev1.ConfigMap, owner client.Object) error {
	if err := controllerutil.SetControllerReference(owner, object, l.Client.Scheme()); err != nil {
		return fmt.Errorf("own ConfigMap %s/%s: %w", object.Namespace, object.Name, err)
	}
	err := l.Client.Create(ctx, object, apply.FieldManager)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	there := &corev1.ConfigMap{}
	if err := l.Live.Get(ctx, client.ObjectKeyFromObject(object), there); err != nil {
		return fmt.Errorf("read ConfigMap %s/%s: %w", object.Namespace, object.Name, err)
	}
	if metav1.IsControlledBy(there, owner) {
		return nil
	}
	foreign := &apply.NotOursError{Kind: "ConfigMap", Namespace: there.Namespace, Name: there.Name, Owner: "somebody else"}
	if controller := metav1.GetControllerOf(there); controller != nil {
		foreign.Owner = controller.Kind + " " + controller.Name
	}
	return foreign
}

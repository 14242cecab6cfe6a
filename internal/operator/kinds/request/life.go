// Package request answers DynamoGraphDeploymentRequests: a Job profiles the model,
// and the graph that it recommends is shown and, if wanted, made.
package request

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// later is when to look again at what others may put right.
const later = 20 * time.Second

// life is one look at a request.
type life struct {
	*lifecycle.Visit
	request *v1alpha1.DynamoGraphDeploymentRequest

	// spec is what is carried out: that of the start, once there was one.
	spec *v1alpha1.DynamoGraphDeploymentRequestSpec
	// job profiles; nil if there is none.
	job *batchv1.Job
}

// Phases implements lifecycle.Life. Each is for some of the states, and one look
// may go through several.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{l.findJob, l.keepSpec, l.accept, l.profile, l.generate, l.deploy, l.observe}
}

func (l *life) in(state v1alpha1.RequestState) bool { return l.request.Status.State == state }

func (l *life) findJob(ctx context.Context) error {
	if !started(l.request) {
		return nil
	}
	job := &batchv1.Job{}
	key := client.ObjectKey{Namespace: l.request.Namespace, Name: render.ProfilingJobName(l.request.Name)}
	err := l.Client.Get(ctx, key, job)
	if apierrors.IsNotFound(err) && l.in(v1alpha1.RequestStateProfiling) {
		err = l.Live.Get(ctx, key, job) // the cache may not have it yet
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read Job %s/%s: %w", key.Namespace, key.Name, err)
	}
	if err == nil && metav1.IsControlledBy(job, l.request) {
		l.job = job
	}
	return nil
}

// keepSpec: what was started is carried out as it was then. Where webhooks are on,
// they refuse to change it.
func (l *life) keepSpec(context.Context) error {
	if !started(l.request) {
		return nil
	}
	changed := l.request.Generation != l.request.Status.ObservedGeneration
	if l.job != nil {
		if spec := render.StartedSpec(l.job); spec != nil {
			if err := l.believe(spec); err != nil {
				return err
			}
			changed = changed && !same(spec, &l.request.Spec)
		}
	}
	if !changed {
		l.note(v1alpha1.ConditionValidation, true, v1alpha1.ReasonValidationPassed, "The spec is valid")
		return nil
	}
	const message = "the change of the spec has no effect, because the request is carried out as it was when it was started: delete it, and create one with the new spec"
	if l.note(v1alpha1.ConditionValidation, false, "SpecChangeRejected", message) {
		l.warn("SpecChangeRejected", message)
	}
	return nil
}

// believe takes over what the Job was started with. Who may write Jobs may have
// written that too, so it is looked at again, and makes no graph that the request
// does not ask for.
func (l *life) believe(spec *v1alpha1.DynamoGraphDeploymentRequestSpec) error {
	started := l.request.DeepCopy()
	started.Spec = *spec
	if errs, _ := validate.Request(started, l.Config); len(errs) > 0 {
		return lifecycle.Refuse(v1alpha1.ReasonValidationFailed, "what Job "+l.job.Name+" was started with: "+errs.ToAggregate().Error())
	}
	l.spec = &started.Spec
	l.spec.AutoApply = l.spec.AutoApply && l.request.Spec.AutoApply
	return nil
}

func same(a, b *v1alpha1.DynamoGraphDeploymentRequestSpec) bool {
	first, errA := json.Marshal(a)
	second, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(first, second)
}

// accept waits until what the request names is there.
func (l *life) accept(ctx context.Context) error {
	if started(l.request) {
		return nil
	}
	status := &l.request.Status
	if status.ObservedGeneration == 0 {
		l.tell("Initialized", "The request is accepted")
	}
	status.State, status.Backend, status.ObservedGeneration = v1alpha1.RequestStatePending, string(l.spec.Backend), l.request.Generation
	missing, err := l.missing(ctx)
	if err != nil {
		return err
	}
	if missing != "" {
		l.LookAgain(later)
		return lifecycle.Refuse(v1alpha1.ReasonValidationFailed, missing)
	}
	l.note(v1alpha1.ConditionValidation, true, v1alpha1.ReasonValidationPassed, "The spec is valid")
	return nil
}

// missing is what the request names and the namespace has not got, "" for nothing.
func (l *life) missing(ctx context.Context) (string, error) {
	profiling := l.spec.ProfilingConfig
	if ref := profiling.ConfigMapRef; ref != nil {
		base := &corev1.ConfigMap{}
		err := l.Live.Get(ctx, client.ObjectKey{Namespace: l.request.Namespace, Name: ref.Name}, base)
		if client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("read ConfigMap %s/%s: %w", l.request.Namespace, ref.Name, err)
		}
		key := render.BaseGraphKey(ref)
		// A ConfigMap that is not there has no keys.
		if _, has := base.Data[key]; !has {
			return fmt.Sprintf("spec.profilingConfig.configMapRef: there is no ConfigMap %s with the key %s: create it, with the graph to start from", ref.Name, key), nil
		}
	}
	for field, claim := range map[string]string{
		"spec.profilingConfig.outputPVC":                            profiling.OutputPVC,
		"spec.profilingConfig.config.deployment.modelCache.pvcName": render.ModelCacheClaim(l.request),
	} {
		if claim == "" {
			continue
		}
		err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.request.Namespace, Name: claim}, &corev1.PersistentVolumeClaim{})
		if apierrors.IsNotFound(err) {
			return fmt.Sprintf("%s: there is no PersistentVolumeClaim %s: create it", field, claim), nil
		}
		if err != nil {
			return "", fmt.Errorf("read PersistentVolumeClaim %s/%s: %w", l.request.Namespace, claim, err)
		}
	}
	return "", nil
}

package component

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// observe writes into the status how the workload does and, if it is not
// ready, why.
func (c *Controller) observe(ctx context.Context, status *componentStatus, objects *render.ComponentObjects) (ctrl.Result, error) {
	deployment := objects.Deployment
	status.workload(deployment)
	ready, message := diagnose.Deployment(deployment)
	if ready {
		status.available(message)
		return ctrl.Result{}, nil
	}
	cause, again, err := c.cause(ctx, deployment)
	if err != nil {
		return ctrl.Result{}, err
	}
	if cause != "" {
		message += ": " + cause
	}
	status.notAvailable(v1alpha1.ReasonDeploymentNotReady, message)
	return again, nil
}

// cause names what a Deployment waits for. A pod whose status is silent is
// looked at again after a while, because events do not wake us up.
func (c *Controller) cause(ctx context.Context, deployment *appsv1.Deployment) (string, ctrl.Result, error) {
	var pods corev1.PodList
	err := c.Client.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	if err != nil {
		return "", ctrl.Result{}, fmt.Errorf("list the pods of %s/%s: %w", deployment.Namespace, deployment.Name, err)
	}
	finding := diagnose.Blocking(pods.Items)
	if finding == nil {
		return diagnose.CannotCreatePods(deployment), ctrl.Result{}, nil
	}
	if !finding.AsksEvents() {
		return finding.In(deployment), ctrl.Result{}, nil
	}
	events, err := c.podEvents(ctx, finding.Pod)
	if err != nil {
		return "", ctrl.Result{}, err
	}
	return finding.Told(events).In(deployment), ctrl.Result{RequeueAfter: askEventsAgain}, nil
}

func (c *Controller) podEvents(ctx context.Context, pod *corev1.Pod) ([]corev1.Event, error) {
	var events corev1.EventList
	err := c.Live.List(ctx, &events, client.InNamespace(pod.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{
			"involvedObject.uid": string(pod.UID), "type": corev1.EventTypeWarning,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("list the events of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return events.Items, nil
}

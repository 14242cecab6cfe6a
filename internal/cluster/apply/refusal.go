package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// refusalText is the API server's reason without its preamble: each invalid
// field by itself, or what follows "is forbidden:".
func refusalText(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && apierrors.IsInvalid(err) && status.Status().Details != nil {
		var fields []string
		for _, cause := range status.Status().Details.Causes {
			fields = append(fields, strings.TrimPrefix(cause.Field+": "+cause.Message, ": "))
		}
		if len(fields) > 0 {
			return strings.Join(fields, "; ")
		}
	}
	return session.Forbidden(err)
}

// tryPod asks, by dry run, for a pod as a workload would make it: pod security,
// quotas and limits are only enforced on pods, long after the workload was
// accepted. It returns what forbids the pod, or "".
func (p Previewer) tryPod(ctx context.Context, workload *unstructured.Unstructured) string {
	path := []string{"spec", "template"}
	if workload.GetKind() == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	template, found, err := unstructured.NestedMap(workload.Object, path...)
	if err != nil || !found {
		return ""
	}
	pod := &corev1.Pod{}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(template, pod) != nil || len(pod.Spec.Containers) == 0 {
		return ""
	}
	pod.Name, pod.Namespace = "", workload.GetNamespace()
	pod.GenerateName = workload.GetName() + "-"
	// What the release brings along does not exist yet.
	pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount = "default", ""
	pod.Spec.PriorityClassName, pod.Spec.RuntimeClassName = "", nil
	pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	_, err = p.session.Kube.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: marks.FieldManager})
	if !apierrors.IsForbidden(err) {
		return ""
	}
	text := refusalText(err)
	if strings.Contains(text, "cannot create resource") || strings.Contains(text, "service account") {
		return ""
	}
	return fmt.Sprintf("its pods will not be made: %s", text)
}

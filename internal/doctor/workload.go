package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// workload is what runs pods, whatever its kind.
type workload struct {
	Place
	labels   map[string]string
	made     bool // by another program, such as an operator of a graph
	template corev1.PodTemplateSpec
	selector *metav1.LabelSelector
	// wanted and ready count pods.
	wanted, ready int
	// storage says that each pod has claims of its own.
	storage bool
	// refused is why its pods cannot be created, as its status says.
	refused string
}

// Names by which the charts' workloads are known, whatever their releases are called.
const (
	operatorName = "dynamo-operator"
	natsName     = "nats"
	etcdName     = "etcd"
)

func (w workload) isOperator() bool {
	return w.Kind == "Deployment" && !w.made && (w.labels[marks.PartOf] == marks.PartOfOperator || w.labels[marks.Name] == operatorName)
}

func (w workload) isAgent() bool {
	return w.Kind == "DaemonSet" && !w.made && (w.labels[marks.PartOf] == marks.PartOfChrek || w.labels[marks.Name] == marks.NameOfAgents)
}

func (w workload) isStore(name string) bool {
	return w.Kind == "StatefulSet" && !w.made && w.labels[marks.Name] == name
}

// what names a workload by what it does.
func (w workload) what() string {
	switch {
	case w.isOperator():
		return "the operator"
	case w.isAgent():
		return "the checkpoint agent"
	case w.isStore(natsName):
		return "NATS"
	case w.isStore(etcdName):
		return "etcd"
	default:
		return w.Kind + " " + w.Name
	}
}

// describe is the command that shows it with its events.
func (p Place) describe() Command {
	return kubectl(p.Namespace, "describe", strings.ToLower(p.Kind), p.Name)
}

func (s *Snapshot) workloads() (out []workload) {
	for i := range s.Deployments {
		d := &s.Deployments[i]
		w := newWorkload("Deployment", d, d.Spec.Template, d.Spec.Selector)
		w.wanted, w.ready = int(ptr.Deref(d.Spec.Replicas, 1)), int(d.Status.ReadyReplicas)
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				w.refused = c.Message
			}
		}
		out = append(out, w)
	}
	for i := range s.StatefulSets {
		d := &s.StatefulSets[i]
		w := newWorkload("StatefulSet", d, d.Spec.Template, d.Spec.Selector)
		w.wanted, w.ready, w.storage = int(ptr.Deref(d.Spec.Replicas, 1)), int(d.Status.ReadyReplicas), len(d.Spec.VolumeClaimTemplates) > 0
		out = append(out, w)
	}
	for i := range s.DaemonSets {
		d := &s.DaemonSets[i]
		w := newWorkload("DaemonSet", d, d.Spec.Template, d.Spec.Selector)
		w.wanted, w.ready = int(d.Status.DesiredNumberScheduled), int(d.Status.NumberReady)
		out = append(out, w)
	}
	for i := range out {
		if out[i].refused == "" && out[i].ready < out[i].wanted {
			out[i].refused = s.failedCreate(out[i].Place)
		}
	}
	return out
}

func newWorkload(kind string, o metav1.Object, template corev1.PodTemplateSpec, selector *metav1.LabelSelector) workload {
	return workload{
		Place: at(kind, o), labels: o.GetLabels(), made: metav1.GetControllerOf(o) != nil, template: template, selector: selector,
	}
}

func at(kind string, o metav1.Object) Place {
	return Place{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (w workload) selects(pod *corev1.Pod) bool {
	return w.Namespace == pod.Namespace && w.selector != nil && matches(w.selector, pod.Labels)
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

// ownerOf is the workload of a pod, or its controller as its metadata names it.
func (s *Snapshot) ownerOf(pod *corev1.Pod) Place {
	controller := metav1.GetControllerOf(pod)
	if controller == nil {
		return Place{}
	}
	if controller.Kind == "ReplicaSet" {
		for i := range s.Deployments {
			d := &s.Deployments[i]
			if d.Namespace == pod.Namespace && strings.HasPrefix(controller.Name, d.Name+"-") && d.Spec.Selector != nil && matches(d.Spec.Selector, pod.Labels) {
				return at("Deployment", d)
			}
		}
	}
	return Place{Kind: controller.Kind, Namespace: pod.Namespace, Name: controller.Name}
}

// warnings are what was reported of an object, the last first.
func (s *Snapshot) warnings(p Place) (out []corev1.Event) {
	for _, e := range s.Events {
		if e.Type == corev1.EventTypeWarning && e.InvolvedObject.Kind == p.Kind && e.Namespace == p.Namespace && e.InvolvedObject.Name == p.Name {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b corev1.Event) int { return seen(b).Compare(seen(a)) })
	return out
}

func seen(e corev1.Event) time.Time {
	if e.Series != nil {
		return e.Series.LastObservedTime.Time
	}
	if !e.LastTimestamp.IsZero() {
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

// failedCreate is why the pods of a workload cannot be created, as was reported last.
func (s *Snapshot) failedCreate(p Place) string {
	for _, e := range s.warnings(p) {
		if e.Reason == "FailedCreate" {
			return e.Message
		}
	}
	return ""
}

// said is what was reported last of an object; empty if nothing was.
func (s *Snapshot) said(p Place) string {
	if all := s.warnings(p); len(all) > 0 {
		return all[0].Reason + ": " + all[0].Message
	}
	return ""
}

// claimsOf are the claims that a pod mounts.
func claimsOf(spec *corev1.PodSpec) (out []string) {
	for _, v := range spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			out = append(out, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return out
}

// mounting are the pods that mount a claim.
func (s *Snapshot) mounting(claim Place) (out []Place) {
	for i := range s.Pods {
		pod := &s.Pods[i]
		if pod.Namespace == claim.Namespace && slices.Contains(claimsOf(&pod.Spec), claim.Name) {
			out = append(out, at("Pod", pod))
		}
	}
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// over reports whether a pod has nothing left to do.
func over(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded
}

package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// fakeGrove is as much of Grove's controller as the operator sees of it: it makes
// PodCliques, scaling groups and pods of the PodCliqueSets of a namespace, under
// their names and labels, leaves the replicas of what exists alone, and counts. A
// change replaces one pod of a clique after the other, each when the one before is
// ready, and one copy of a scaling group after the other.
type fakeGrove struct {
	client.Client
	namespace string
}

// playGrove runs until the test ends.
func playGrove(t *testing.T, namespace string) {
	t.Helper()
	fake := &fakeGrove{adminClient(t), namespace}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			// The API comes and goes, and others write at the same time.
			_ = fake.look(ctx)
			time.Sleep(30 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

func (f *fakeGrove) look(ctx context.Context) error {
	var sets grove.PodCliqueSetList
	if err := f.List(ctx, &sets, client.InNamespace(f.namespace)); err != nil {
		return err
	}
	var errs []error
	for i := range sets.Items {
		if sets.Items[i].DeletionTimestamp == nil {
			errs = append(errs, f.realize(ctx, &sets.Items[i]))
		}
	}
	return errors.Join(errs...)
}

func (f *fakeGrove) realize(ctx context.Context, set *grove.PodCliqueSet) error {
	templates, grouped := map[string]grove.PodCliqueTemplate{}, map[string]bool{}
	for _, clique := range set.Spec.Template.Cliques {
		templates[clique.Name] = clique
	}
	var errs []error
	for _, config := range set.Spec.Template.ScalingGroups {
		for _, name := range config.CliqueNames {
			grouped[name] = true
		}
		errs = append(errs, f.group(ctx, set, config, templates))
	}
	for name, clique := range templates {
		if !grouped[name] {
			_, err := f.clique(ctx, set, set, set.Name+"-0-"+name, nil, clique, false)
			errs = append(errs, err)
		}
	}
	errs = append(errs, f.status(ctx, set, map[string]any{"observedGeneration": set.Generation}))
	return errors.Join(errs...)
}

// group makes the copies of a scaling group and counts those that are whole.
func (f *fakeGrove) group(ctx context.Context, set *grove.PodCliqueSet, config grove.ScalingGroupConfig, templates map[string]grove.PodCliqueTemplate) error {
	group := &grove.PodCliqueScalingGroup{}
	name := set.Name + "-0-" + config.Name
	err := f.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: name}, group)
	if apierrors.IsNotFound(err) {
		return f.create(ctx, set, set, "PodCliqueScalingGroup", name, nil, nil, map[string]any{
			"replicas": config.Replicas, "minAvailable": config.MinAvailable, "cliqueNames": config.CliqueNames,
		})
	}
	if err != nil {
		return err
	}
	if err := f.fewer(ctx, group); err != nil {
		return err
	}
	available, updated, waits := 0, 0, false
	for i := range int(group.Spec.Replicas) {
		whole, fresh := true, true
		for _, member := range config.CliqueNames {
			labels := map[string]string{grove.LabelScalingGroup: name}
			pods, err := f.clique(ctx, set, group, fmt.Sprintf("%s-%d-%s", name, i, member), labels, templates[member], waits)
			if err != nil {
				return err
			}
			whole = whole && pods.ready == int(templates[member].Spec.MinAvailable)
			fresh = fresh && pods.updated == pods.all
		}
		available, updated, waits = available+count(whole), updated+count(fresh), waits || !whole || !fresh
	}
	return f.status(ctx, group, map[string]any{
		"observedGeneration": group.Generation, "replicas": group.Spec.Replicas, "availableReplicas": available, "updatedReplicas": updated, "scheduledReplicas": available,
	})
}

// fewer removes the copies of a scaling group that are not wanted any more.
func (f *fakeGrove) fewer(ctx context.Context, group *grove.PodCliqueScalingGroup) error {
	var cliques grove.PodCliqueList
	if err := f.List(ctx, &cliques, client.InNamespace(f.namespace), client.MatchingLabels{grove.LabelScalingGroup: group.Name}); err != nil {
		return err
	}
	var errs []error
	for i := range cliques.Items {
		clique := &cliques.Items[i]
		copied, _, _ := strings.Cut(strings.TrimPrefix(clique.Name, group.Name+"-"), "-")
		if n, err := strconv.Atoi(copied); err != nil || n < int(group.Spec.Replicas) {
			continue
		}
		errs = append(errs,
			f.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(f.namespace), client.MatchingLabels{grove.LabelPodClique: clique.Name}, client.GracePeriodSeconds(0)),
			client.IgnoreNotFound(f.Delete(ctx, clique)))
	}
	return errors.Join(errs...)
}

type podCount struct{ all, ready, updated int }

func (f *fakeGrove) clique(ctx context.Context, set *grove.PodCliqueSet, owner client.Object, name string, labels map[string]string, template grove.PodCliqueTemplate, waits bool) (podCount, error) {
	clique := &unstructured.Unstructured{}
	clique.SetGroupVersionKind(grove.GroupVersion.WithKind("PodClique"))
	err := f.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: name}, clique)
	if apierrors.IsNotFound(err) {
		return podCount{}, f.create(ctx, set, owner, "PodClique", name, with(template.Labels, labels), template.Annotations, map[string]any{
			"roleName": template.Spec.RoleName, "replicas": template.Spec.Replicas, "minAvailable": template.Spec.MinAvailable, "podSpec": template.Spec.PodSpec,
		})
	}
	if err != nil {
		return podCount{}, err
	}
	if !waits && clique.GetLabels()[render.TemplateLabel] != template.Labels[render.TemplateLabel] {
		clique.SetLabels(with(clique.GetLabels(), template.Labels))
		clique.SetAnnotations(template.Annotations)
		if err := setNested(clique.Object, template.Spec.PodSpec, "spec", "podSpec"); err != nil {
			return podCount{}, err
		}
		return podCount{}, f.Update(ctx, clique)
	}
	replicas, _, _ := unstructured.NestedInt64(clique.Object, "spec", "replicas")
	pods, err := f.pods(ctx, clique, int(replicas), template)
	if err != nil {
		return pods, err
	}
	return pods, f.status(ctx, clique, map[string]any{
		"observedGeneration": clique.GetGeneration(), "replicas": pods.all, "readyReplicas": pods.ready, "updatedReplicas": pods.updated,
		"scheduledReplicas": pods.all, "scheduleGatedReplicas": 0,
	})
}

// pods counts what there is, replaces one that is not of the clique's template if
// all others are ready, and makes what is missing.
func (f *fakeGrove) pods(ctx context.Context, clique client.Object, replicas int, template grove.PodCliqueTemplate) (counted podCount, err error) {
	var existing corev1.PodList
	if err := f.List(ctx, &existing, client.InNamespace(f.namespace), client.MatchingLabels{grove.LabelPodClique: clique.GetName()}); err != nil {
		return counted, err
	}
	var old *corev1.Pod
	have := map[int]bool{}
	for i := range existing.Items {
		pod := &existing.Items[i]
		index, err := strconv.Atoi(pod.Labels["grove.io/podclique-pod-index"])
		if err != nil || index >= replicas {
			if err := f.remove(ctx, pod); err != nil {
				return counted, err
			}
			continue
		}
		have[index] = true
		is := pod.Labels[render.TemplateLabel] == template.Labels[render.TemplateLabel]
		if !is {
			old = pod
		}
		counted.all, counted.updated, counted.ready = counted.all+1, counted.updated+count(is), counted.ready+count(readyNow(pod))
	}
	if old != nil && clique.GetLabels()[render.TemplateLabel] == template.Labels[render.TemplateLabel] && counted.ready-count(readyNow(old)) >= replicas-1 {
		return counted, f.remove(ctx, old)
	}
	for i := range replicas {
		if have[i] {
			continue
		}
		err := f.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				GenerateName: clique.GetName() + "-", Namespace: f.namespace, Annotations: template.Annotations,
				Labels:          with(clique.GetLabels(), map[string]string{grove.LabelPodClique: clique.GetName(), "grove.io/podclique-pod-index": strconv.Itoa(i)}),
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(clique, grove.GroupVersion.WithKind("PodClique"))},
			},
			Spec: template.Spec.PodSpec,
		})
		if err != nil {
			return counted, err
		}
	}
	return counted, nil
}

func (f *fakeGrove) remove(ctx context.Context, pod *corev1.Pod) error {
	return client.IgnoreNotFound(f.Delete(ctx, pod, client.GracePeriodSeconds(0)))
}

func (f *fakeGrove) create(ctx context.Context, set *grove.PodCliqueSet, owner client.Object, kind, name string, labels, annotations map[string]string, spec map[string]any) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(grove.GroupVersion.WithKind(kind))
	object.SetNamespace(f.namespace)
	object.SetName(name)
	object.SetLabels(with(labels, map[string]string{grove.LabelPartOf: set.Name, "app.kubernetes.io/managed-by": "grove-operator"}))
	object.SetAnnotations(annotations)
	ownerKind := "PodCliqueSet"
	if owner != client.Object(set) {
		ownerKind = "PodCliqueScalingGroup"
	}
	object.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(owner, grove.GroupVersion.WithKind(ownerKind))})
	if err := setNested(object.Object, spec, "spec"); err != nil {
		return err
	}
	return f.Create(ctx, object)
}

// status writes what differs.
func (f *fakeGrove) status(ctx context.Context, object client.Object, status map[string]any) error {
	data, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	return f.Status().Patch(ctx, object, client.RawPatch("application/merge-patch+json", data))
}

func setNested(object map[string]any, value any, path ...string) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var plain map[string]any
	if err := json.Unmarshal(data, &plain); err != nil {
		return err
	}
	return unstructured.SetNestedMap(object, plain, path...)
}

func with(layers ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, layer := range layers {
		for key, value := range layer {
			all[key] = value
		}
	}
	return all
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

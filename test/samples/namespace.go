package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// tryout runs samples in a cluster, each in a namespace of its own.
type tryout struct {
	client  client.Client
	timeout time.Duration
}

// result is a row of the table.
type result struct {
	Sample  string  `json:"sample"`
	Graph   string  `json:"graph"`
	Outcome outcome `json:"outcome"`
	Seconds int     `json:"seconds"`
	Stand   string  `json:"standIns,omitempty"`
	// Without lists objects of the sample whose kind the cluster does not have.
	Without []string `json:"without,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// run applies a sample unmodified, waits until each of its graphs is Ready or
// stopped for a real reason, and removes it again.
func (t *tryout) run(ctx context.Context, s *sample) ([]result, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace()}}
	if err := t.client.Create(ctx, namespace); err != nil {
		return nil, fmt.Errorf("create namespace %s: %w", namespace.Name, err)
	}
	defer t.remove(ctx, namespace)

	needs := s.needs()
	if err := t.createStandIns(ctx, namespace.Name, needs); err != nil {
		return nil, err
	}
	var without []string
	for _, object := range s.objects {
		object.SetNamespace(namespace.Name)
		err := t.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("samples"))
		if meta.IsNoMatchError(err) && object.GroupVersionKind().Group != v1alpha1.GroupName {
			// What others would have to install; its graph may still say something.
			without = append(without, object.GetKind()+"/"+object.GetName())
			continue
		}
		if err != nil {
			return []result{{Sample: s.name(), Graph: object.GetName(), Outcome: "Refused", Reason: err.Error()}}, nil
		}
	}
	var results []result
	for _, graph := range s.graphs {
		r := t.waitFor(ctx, namespace.Name, graph.Name)
		r.Sample, r.Stand, r.Without = s.name(), needs.String(), without
		results = append(results, r)
	}
	for _, request := range s.requests {
		r := t.waitForRequest(ctx, namespace.Name, request.Name)
		r.Sample, r.Stand, r.Without = s.name(), needs.String(), without
		results = append(results, r)
	}
	return results, nil
}

func (t *tryout) waitFor(ctx context.Context, namespace, name string) result {
	graph := &v1alpha1.DynamoGraphDeployment{}
	return t.poll(ctx, namespace, name, graph, func() (outcome, string) { return judge(graph) })
}

func (t *tryout) waitForRequest(ctx context.Context, namespace, name string) result {
	request := &v1alpha1.DynamoGraphDeploymentRequest{}
	return t.poll(ctx, namespace, name, request, func() (outcome, string) { return judgeRequest(request) })
}

func (t *tryout) poll(ctx context.Context, namespace, name string, object client.Object, judge func() (outcome, string)) result {
	started := time.Now()
	r := result{Graph: name, Outcome: waiting}
	err := wait.PollUntilContextTimeout(ctx, time.Second, t.timeout, true, func(ctx context.Context) (bool, error) {
		if err := t.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
			return false, err
		}
		r.Outcome, r.Reason = judge()
		return r.Outcome != waiting, nil
	})
	if err != nil && r.Reason == "" {
		r.Reason = err.Error()
	}
	r.Seconds = int(time.Since(started).Seconds())
	return r
}

// createStandIns creates what the sample's users have beside it.
func (t *tryout) createStandIns(ctx context.Context, namespace string, n needs) error {
	var objects []client.Object
	for name, keys := range n.secrets {
		objects = append(objects, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: placeholders(keys)})
	}
	for name, keys := range n.configMaps {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: placeholders(keys)})
	}
	for name := range n.claims {
		objects = append(objects, &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			},
		})
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
		if err := t.client.Create(ctx, object); err != nil {
			return fmt.Errorf("create the stand-in %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

func placeholders(keys []string) map[string]string {
	data := map[string]string{"placeholder": "stand-in"}
	for _, key := range keys {
		data[key] = "stand-in"
	}
	return data
}

// remove deletes the namespace and waits until its pods have given back the
// node's resources.
func (t *tryout) remove(ctx context.Context, namespace *corev1.Namespace) {
	if err := t.client.Delete(ctx, namespace); err != nil && !apierrors.IsNotFound(err) {
		fmt.Printf("delete namespace %s: %v\n", namespace.Name, err)
		return
	}
	err := wait.PollUntilContextTimeout(ctx, time.Second, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		err := t.client.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	if err != nil {
		fmt.Printf("namespace %s is still there: %v\n", namespace.Name, err)
	}
}

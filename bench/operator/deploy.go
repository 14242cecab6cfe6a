package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

const configuration = `apiVersion: operator.config.dynamo.nvidia.com/v1alpha1
kind: OperatorConfiguration
namespace: {restricted: %s}
leaderElection: {enabled: false}
server:
  metrics: {bindAddress: "0"}
  healthProbe: {bindAddress: "0"}
`

// patience bounds each wait.
const patience = 10 * time.Minute

func (b *bench) createNamespaces(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := b.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	return nil
}

// deploy is the time from the first graph to the last Deployment, with an
// operator that was ready for them. Their pods are awaited besides, so that the
// controllers of Kubernetes are idle when the next is measured.
func (b *bench) deploy(ctx context.Context, namespace string, graphs int) (took time.Duration, err error) {
	stop, err := b.startOperator(ctx, namespace)
	if err != nil {
		return 0, err
	}
	defer stop()
	began := time.Now()
	group, grouped := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i := range graphs {
		group.Go(func() error { return b.admin.Create(grouped, graph(namespace, fmt.Sprintf("graph-%03d", i))) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if err := b.await(ctx, namespace, appsv1.SchemeGroupVersion.WithKind("Deployment"), 3*graphs); err != nil {
		return 0, err
	}
	took = time.Since(began)
	return took, b.await(ctx, namespace, corev1.SchemeGroupVersion.WithKind("Pod"), 3*graphs)
}

// startOperator runs one with an administrator's rights, until stop.
func (b *bench) startOperator(ctx context.Context, namespace string) (stop func(), err error) {
	config := filepath.Join(b.dir, namespace+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, namespace), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	process := exec.CommandContext(ctx, filepath.Join(b.dir, "operator"), "--config", config)
	process.Env = append(os.Environ(), "KUBECONFIG="+b.cluster.Kubeconfig)
	if err := process.Start(); err != nil {
		cancel()
		return nil, err
	}
	stop = func() {
		cancel()
		_ = process.Wait() // it was killed
	}
	if err := b.await(ctx, namespace, schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, 1); err != nil {
		stop()
		return nil, fmt.Errorf("the operator's Lease %s: %w", scope.MarkerName, err)
	}
	return stop, nil
}

func graph(namespace, name string) *v1alpha1.DynamoGraphDeployment {
	service := func(componentType string) *v1alpha1.DynamoComponentDeploymentSharedSpec {
		container := corev1.Container{Image: "registry.example.com/runtime:1", Command: []string{"python3", "-m", "dynamo.vllm"}}
		return &v1alpha1.DynamoComponentDeploymentSharedSpec{
			ComponentType: componentType, ExtraPodSpec: &v1alpha1.ExtraPodSpec{MainContainer: &container},
		}
	}
	return &v1alpha1.DynamoGraphDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.DynamoGraphDeploymentSpec{Services: map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{
			"Frontend": service("frontend"), "Prefill": service("worker"), "Decode": service("worker"),
		}},
	}
}

// await waits for so many objects of a kind.
func (b *bench) await(ctx context.Context, namespace string, kind schema.GroupVersionKind, want int) error {
	found := 0
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		if err := b.admin.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
		if found = len(list.Items); found >= want {
			return nil
		}
	}
	return fmt.Errorf("%d of %d objects of kind %s in namespace %s", found, want, kind.Kind, namespace)
}

// export is what came of the graphs of one namespace, as the floor reads it, for
// another.
func (b *bench) export(ctx context.Context, from, to string) ([]byte, error) {
	var out bytes.Buffer
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment), v1alpha1.GroupVersion.WithKind(v1alpha1.KindComponentDeployment),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"), rbacv1.SchemeGroupVersion.WithKind("Role"), rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
		corev1.SchemeGroupVersion.WithKind("Service"), appsv1.SchemeGroupVersion.WithKind("Deployment"),
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := b.admin.List(ctx, list, client.InNamespace(from)); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			if item.GetName() == "default" && item.GetKind() == "ServiceAccount" {
				continue
			}
			fields := map[string]any{"apiVersion": item.GetAPIVersion(), "kind": item.GetKind(), "metadata": map[string]any{
				"name": item.GetName(), "namespace": to, "labels": item.Object["metadata"].(map[string]any)["labels"],
			}}
			for key, value := range item.Object {
				if key != "status" && fields[key] == nil {
					fields[key] = value
				}
			}
			unstructured.RemoveNestedField(fields, "spec", "clusterIP")
			unstructured.RemoveNestedField(fields, "spec", "clusterIPs")
			if err := json.NewEncoder(&out).Encode(fields); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

package operator

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const chat = `
metadata: {name: chat}
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}
    Worker:
      componentType: worker
      resources: {limits: {gpu: "1"}}
      envs:
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
      extraPodSpec:
        tolerations: [{key: nvidia.com/gpu, operator: Exists}]
        mainContainer:
          image: registry.example.com/runtime:1
          command: [python3, -m, dynamo.vllm]
          ports: [{containerPort: 19090}]
`

// everywhere and within are the two modes of an operator.
func everywhere(*config.OperatorConfiguration) {}

func within(namespace string) func(*config.OperatorConfiguration) {
	return func(cfg *config.OperatorConfiguration) { cfg.Namespace.Restricted = namespace }
}

func chatGraph(t *testing.T, namespace string) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, namespace, chat)
	create(t, dgd)
	return dgd
}

func TestAGraphBecomesReadyAndThenNothingIsWritten(t *testing.T) {
	ns := namespace(t)
	first := start(t, within(ns))
	chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")

	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, ns, "chat", dgd)
	one := ptr.To[int32](1)
	want := map[string]v1alpha1.ServiceReplicaStatus{
		"Frontend": {ComponentKind: "Deployment", ComponentName: "chat-frontend", Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: one, AvailableReplicas: one},
		"Worker":   {ComponentKind: "Deployment", ComponentName: "chat-worker", Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: one, AvailableReplicas: one},
	}
	if diff := cmp.Diff(want, dgd.Status.Services); diff != "" {
		t.Errorf("status.services -want +got:\n%s", diff)
	}
	if dgd.Status.State != v1alpha1.GraphStateSuccessful {
		t.Errorf("state %q, want successful", dgd.Status.State)
	}

	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	before := versions(t, ns)
	graphs, components := reconciled(t, "graph"), reconciled(t, "component")
	second := start(t, within(ns)) // looks at every object when it starts
	cluster.Eventually(t, "a look at everything", func() error { return looked(t, graphs+1, components+2) })

	// Events that change nothing the operator cares about are no reason to write either.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "default"}}
	change(t, account, func(a *corev1.ServiceAccount) { metav1.SetMetaDataAnnotation(&a.ObjectMeta, "touched", "yes") })
	for _, pod := range pods(t, ns, "chat-worker") {
		change(t, &pod, func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, "touched", "yes") })
	}
	cluster.Eventually(t, "a second look", func() error { return looked(t, graphs+2, components+3) })

	if n := second.writes.Load(); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
	if diff := cmp.Diff(before, versions(t, ns)); diff != "" {
		t.Errorf("resource versions -before +after:\n%s", diff)
	}
}

func looked(t *testing.T, graphs, components float64) error {
	t.Helper()
	if g, c := reconciled(t, "graph"), reconciled(t, "component"); g < graphs || c < components {
		return fmt.Errorf("%v graphs of %v, %v components of %v", g, graphs, c, components)
	}
	return nil
}

// reconciled counts what the controllers of all operators of this process have
// finished.
func reconciled(t *testing.T, controller string) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range metric.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if labels["controller"] == controller && labels["result"] == "success" {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

// versions of all objects of the graph "chat".
func versions(t *testing.T, namespace string) map[string]string {
	t.Helper()
	found := map[string]string{}
	record := func(name string, object client.Object) {
		get(t, namespace, name, object)
		found[fmt.Sprintf("%T %s", object, name)] = object.GetResourceVersion()
	}
	record("chat", &v1alpha1.DynamoGraphDeployment{})
	record("chat-k8s-service-discovery", &corev1.ServiceAccount{})
	record("chat-k8s-service-discovery-role", &rbacv1.Role{})
	record("chat-k8s-service-discovery-binding", &rbacv1.RoleBinding{})
	for _, name := range []string{"chat-frontend", "chat-worker"} {
		record(name, &v1alpha1.DynamoComponentDeployment{})
		record(name, &appsv1.Deployment{})
		record(name, &corev1.Service{})
	}
	return found
}

func TestChangesByHandAreCorrected(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	chatGraph(t, ns)
	condition(t, ns, "chat", says("some_resources_are_not_ready"))
	c := adminClient(t)
	cluster.Eventually(t, "the Deployment", func() error {
		return c.Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "chat-worker"}, &appsv1.Deployment{})
	})

	worker := &v1alpha1.DynamoComponentDeployment{}
	get(t, ns, "chat-worker", worker)

	t.Run("a Deployment's image and replicas", func(t *testing.T) {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-worker"}}
		change(t, deployment, func(d *appsv1.Deployment) {
			d.Spec.Replicas = ptr.To[int32](5)
			d.Spec.Template.Spec.Containers[0].Image = "registry.example.com/other:1"
		})
		cluster.Eventually(t, "correction", func() error {
			get(t, ns, "chat-worker", deployment)
			if *deployment.Spec.Replicas != 1 || deployment.Spec.Template.Spec.Containers[0].Image != "registry.example.com/runtime:1" {
				return fmt.Errorf("%d replicas of %s", *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image)
			}
			return nil
		})
		warned(t, worker, "ChangedByAnother", "Deployment chat-worker was changed by operator.test, and is put back to what the graph says")
	})
	t.Run("a Deployment that somebody scales", func(t *testing.T) {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-worker"}}
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
		if err := c.SubResource("scale").Update(context.Background(), deployment, client.WithSubResourceBody(scale)); err != nil {
			t.Fatal(err)
		}
		warned(t, worker, "ScaledByAnother", "Deployment chat-worker was scaled by operator.test, and is put back")
	})
	t.Run("a Role's rules", func(t *testing.T) {
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-k8s-service-discovery-role"}}
		change(t, role, func(r *rbacv1.Role) {
			r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
		})
		cluster.Eventually(t, "correction", func() error {
			if get(t, ns, role.Name, role); len(role.Rules) != 3 {
				return fmt.Errorf("%d rules", len(role.Rules))
			}
			return nil
		})
	})
	t.Run("a Service deleted", func(t *testing.T) {
		service := &corev1.Service{}
		get(t, ns, "chat-frontend", service)
		if err := c.Delete(context.Background(), service); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, "correction", func() error {
			again := &corev1.Service{}
			if err := c.Get(context.Background(), client.ObjectKeyFromObject(service), again); err != nil {
				return err
			}
			if again.UID == service.UID {
				return fmt.Errorf("it is still the old one")
			}
			return nil
		})
	})
	t.Run("a component's spec", func(t *testing.T) {
		dcd := &v1alpha1.DynamoComponentDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-frontend"}}
		change(t, dcd, func(d *v1alpha1.DynamoComponentDeployment) { d.Spec.Replicas = ptr.To[int32](3) })
		cluster.Eventually(t, "correction", func() error {
			if get(t, ns, dcd.Name, dcd); *dcd.Spec.Replicas != 1 {
				return fmt.Errorf("%d replicas", *dcd.Spec.Replicas)
			}
			return nil
		})
	})
}

func TestReadyMeansTheCurrentGeneration(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	dgd := chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")

	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Worker"].ExtraPodSpec.MainContainer.Image = "registry.example.com/runtime:2"
	})
	// The old pod is still ready and serves; the graph is not Ready for that.
	condition(t, ns, "chat", says("Worker: "))
	cluster.Eventually(t, "a pod of the new revision", func() error {
		for _, pod := range pods(t, ns, "chat-worker") {
			if pod.Spec.Containers[0].Image == "registry.example.com/runtime:2" {
				return nil
			}
		}
		return fmt.Errorf("none yet")
	})
	condition(t, ns, "chat", says("Worker: "))
	allRun(t, ns, "chat", "chat-worker")
	for _, pod := range pods(t, ns, "chat-worker") {
		if pod.Spec.Containers[0].Image != "registry.example.com/runtime:2" {
			t.Errorf("the graph is Ready with pod %s of the old revision", pod.Name)
		}
	}
}

func TestDeletingAGraphKeepsItsData(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, `
metadata: {name: chat, finalizers: [nvidia.com/finalizer]}
spec:
  pvcs: [{name: models, create: true, storageClass: any, size: 1Gi, volumeAccessMode: ReadWriteOnce}]
  services: {Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}}
`)
	create(t, dgd)
	cluster.Eventually(t, "the Deployment", func() error {
		return adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "chat-frontend"}, &appsv1.Deployment{})
	})
	if err := adminClient(t).Delete(context.Background(), dgd); err != nil {
		t.Fatal(err)
	}
	gone(t, ns, "chat", dgd)
	gone(t, ns, "chat-frontend", &v1alpha1.DynamoComponentDeployment{})
	gone(t, ns, "chat-frontend", &appsv1.Deployment{})
	gone(t, ns, "chat-k8s-service-discovery", &corev1.ServiceAccount{})
	claim := &corev1.PersistentVolumeClaim{}
	get(t, ns, "models", claim)
	if claim.DeletionTimestamp != nil || len(claim.OwnerReferences) > 0 {
		t.Errorf("the claim goes with the graph: %+v", claim.ObjectMeta)
	}
}

func TestWhatIsNoLongerWantedIsDeleted(t *testing.T) {
	ns := namespace(t)
	start(t, func(cfg *config.OperatorConfiguration) { cfg.Ingress.ClassName = "nginx" })
	dgd := chatGraph(t, ns)
	condition(t, ns, "chat", says("some_resources_are_not_ready"))
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		delete(d.Spec.Services, "Worker")
		d.Annotations = map[string]string{v1alpha1.AnnotationDiscoveryBackend: "etcd"}
		d.Spec.Services["Frontend"].Ingress = &v1alpha1.IngressSpec{}
	})
	gone(t, ns, "chat-worker", &v1alpha1.DynamoComponentDeployment{})
	gone(t, ns, "chat-k8s-service-discovery", &corev1.ServiceAccount{})
	gone(t, ns, "chat-k8s-service-discovery-role", &rbacv1.Role{})
	gone(t, ns, "chat-frontend", &networkingv1.Ingress{})
}

func TestAnnotationsOfAGraphTakeEffectAtOnce(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	dgd := chatGraph(t, ns)
	condition(t, ns, "chat", says("some_resources_are_not_ready"))
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Annotations = map[string]string{v1alpha1.AnnotationEnableMetrics: "false"}
	})
	cluster.Eventually(t, "the metrics label goes", func() error {
		deployment := &appsv1.Deployment{}
		get(t, ns, "chat-worker", deployment)
		if _, labelled := deployment.Spec.Template.Labels[v1alpha1.LabelMetricsEnabled]; labelled {
			return fmt.Errorf("the pods are still labelled")
		}
		return nil
	})
}

func TestARestartGoesThroughTheServicesOneByOne(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	dgd := chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Restart = &v1alpha1.Restart{ID: "monday"} })

	restarted := func(component string) string {
		deployment := &appsv1.Deployment{}
		get(t, ns, component, deployment)
		return deployment.Spec.Template.Annotations[v1alpha1.AnnotationRestartAt]
	}
	cluster.Eventually(t, "the frontend restarts", func() error {
		if got := restarted("chat-frontend"); got != "monday" {
			return fmt.Errorf("restartAt %q", got)
		}
		return nil
	})
	condition(t, ns, "chat", says("Frontend: "))
	if got := restarted("chat-worker"); got != "" {
		t.Errorf("the worker restarts (%s) before the frontend is ready", got)
	}
	allRun(t, ns, "", "chat-frontend")
	cluster.Eventually(t, "the worker restarts", func() error {
		if got := restarted("chat-worker"); got != "monday" {
			return fmt.Errorf("restartAt %q", got)
		}
		return nil
	})
	allRun(t, ns, "chat", "chat-worker")
	cluster.Eventually(t, "the restart completes", func() error {
		get(t, ns, "chat", dgd)
		want := &v1alpha1.RestartStatus{ObservedID: "monday", Phase: v1alpha1.RestartPhaseCompleted}
		if diff := cmp.Diff(want, dgd.Status.Restart); diff != "" {
			return fmt.Errorf("-want +got:\n%s", diff)
		}
		return nil
	})
}

package operator

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// TestWhatSomebodyElseMadeStaysAsItIs, for every name that the operator derives
// from a graph: the graph says what is in its way.
func TestWhatSomebodyElseMadeStaysAsItIs(t *testing.T) {
	someRole := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "theirs"}
	labels := map[string]string{"app": "theirs"}
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/theirs:1"}}},
	}
	service := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "theirs", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Labels: labels} }
	start(t, func(cfg *config.OperatorConfiguration) { cfg.Ingress.ClassName = "nginx" })
	for name, theirs := range map[string]client.Object{
		"ServiceAccount":           &corev1.ServiceAccount{ObjectMeta: named("chat-k8s-service-discovery")},
		"Role":                     &rbacv1.Role{ObjectMeta: named("chat-k8s-service-discovery-role")},
		"RoleBinding":              &rbacv1.RoleBinding{ObjectMeta: named("chat-k8s-service-discovery-binding"), RoleRef: someRole},
		"planner's ServiceAccount": &corev1.ServiceAccount{ObjectMeta: named("planner-serviceaccount")},
		"planner's RoleBinding":    &rbacv1.RoleBinding{ObjectMeta: named("planner-serviceaccount-binding"), RoleRef: someRole},
		"component": &v1alpha1.DynamoComponentDeployment{ObjectMeta: named("chat-frontend"), Spec: v1alpha1.DynamoComponentDeploymentSpec{
			DynamoComponentDeploymentSharedSpec: v1alpha1.DynamoComponentDeploymentSharedSpec{ComponentType: "default"}}},
		"adapter": &v1alpha1.DynamoGraphDeploymentScalingAdapter{ObjectMeta: named("chat-frontend"), Spec: v1alpha1.DynamoGraphDeploymentScalingAdapterSpec{
			Replicas: 5, DGDRef: v1alpha1.DynamoGraphDeploymentServiceRef{Name: "chat", ServiceName: "Frontend"}}},
		"Service":    &corev1.Service{ObjectMeta: named("chat-frontend"), Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}},
		"Deployment": &appsv1.Deployment{ObjectMeta: named("chat-frontend"), Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pod}},
		"Ingress":    &networkingv1.Ingress{ObjectMeta: named("chat-frontend"), Spec: networkingv1.IngressSpec{DefaultBackend: &service}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			theirs.SetNamespace(ns)
			create(t, theirs)
			before := content(t, theirs)
			create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, `
metadata: {name: chat}
spec:
  services:
    Frontend: {componentType: frontend, scalingAdapter: {enabled: true}, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    Planner: {componentType: planner, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
`))
			condition(t, ns, "chat", says(fmt.Sprintf("%s/%s exists already and belongs to nobody", ns, theirs.GetName())))
			if diff := cmp.Diff(before, content(t, theirs)); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}

// content is the spec of an object, or what it has instead, and its identity and
// metadata that people write.
func content(t *testing.T, object client.Object) map[string]any {
	t.Helper()
	gvk, err := adminClient(t).GroupVersionKindFor(object)
	if err != nil {
		t.Fatal(err)
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(gvk)
	if err := adminClient(t).Get(context.Background(), client.ObjectKeyFromObject(object), live); err != nil {
		t.Fatal(err)
	}
	fields := live.Object
	delete(fields, "status") // the operator's, for kinds of ours
	metadata, _ := fields["metadata"].(map[string]any)
	delete(metadata, "managedFields")
	delete(metadata, "resourceVersion") // moves with the status
	// The controller of Deployments counts revisions there.
	delete(metadata, "annotations")
	return fields
}

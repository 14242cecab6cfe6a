package operator

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

func TestAFrontendIsReachedThroughIstio(t *testing.T) {
	installDefinition(t, "testdata/virtualservices.yaml")
	ns := namespace(t)
	operator := start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Ingress.VirtualServiceGateway = "edge/public"
		cfg.Ingress.HostSuffix = "llm.example.com"
	})
	dgd := chatGraph(t, ns)
	got := &istio.VirtualService{}
	get(t, ns, "chat-frontend", got)
	want := istio.VirtualServiceSpec{
		Hosts: []string{"chat.llm.example.com"}, Gateways: []string{"edge/public"},
		HTTP: []istio.HTTPRoute{{
			Match: []istio.HTTPMatch{{URI: istio.URIMatch{Prefix: "/"}}},
			Route: []istio.RouteDestination{{Destination: istio.Destination{Host: "chat-frontend", Port: istio.PortSelector{Number: 8000}}}},
		}},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	absent(t, &networkingv1.IngressList{}, ns)

	change(t, dgd, func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Spec.Services["Frontend"].Ingress = &v1alpha1.IngressSpec{}
	})
	gone(t, ns, "chat-frontend", &istio.VirtualService{})
	if err := operator.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAGatewayAVirtualServiceIsRefused(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, chat)
	gateway := "public"
	dgd.Spec.Services["Frontend"].Ingress = &v1alpha1.IngressSpec{Enabled: true, Host: "chat", UseVirtualService: true, VirtualServiceGateway: &gateway}
	create(t, dgd)
	condition(t, ns, "chat", says("Unsupported: service Frontend: ingress.useVirtualService needs Istio"))
}

// TestComponentsRunAsWhatTheConfigurationSays moves a graph from one discovery
// backend to the other.
func TestComponentsRunAsWhatTheConfigurationSays(t *testing.T) {
	ns := namespace(t)
	components := config.Components{
		ServiceAccountAnnotations: map[string]string{"cloud.example.com/role": "models"},
		ImagePullSecrets:          []string{"mirror"},
		DebuggerImage:             "registry.example.com/tools:1",
	}
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Components = components
	})
	dgd := chatGraph(t, ns)
	check := func(name string) {
		t.Helper()
		account := &corev1.ServiceAccount{}
		get(t, ns, name, account)
		if got := account.Annotations["cloud.example.com/role"]; got != "models" {
			t.Errorf("ServiceAccount %s has the annotation %q, want models", name, got)
		}
		if diff := cmp.Diff([]corev1.LocalObjectReference{{Name: "mirror"}}, account.ImagePullSecrets); diff != "" {
			t.Errorf("pull secrets of %s (-want +got):\n%s", name, diff)
		}
		cluster.Eventually(t, "pods that run as "+name, func() error {
			deployment := &appsv1.Deployment{}
			if get(t, ns, "chat-worker", deployment); deployment.Spec.Template.Spec.ServiceAccountName != name {
				return fmt.Errorf("they run as %q", deployment.Spec.Template.Spec.ServiceAccountName)
			}
			return nil
		})
	}
	check("chat-k8s-service-discovery")
	change(t, dgd, func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Annotations = map[string]string{v1alpha1.AnnotationDiscoveryBackend: v1alpha1.DiscoveryBackendEtcd}
	})
	check("chat-component")
	gone(t, ns, "chat-k8s-service-discovery", &corev1.ServiceAccount{})
	gone(t, ns, "chat-k8s-service-discovery-role", &rbacv1.Role{})

	change(t, dgd, func(dgd *v1alpha1.DynamoGraphDeployment) {
		dgd.Spec.Services["Worker"].Annotations = map[string]string{v1alpha1.AnnotationEnableDebugMode: "true"}
	})
	cluster.Eventually(t, "the debugger", func() error {
		deployment := &appsv1.Deployment{}
		get(t, ns, "chat-worker", deployment)
		for _, container := range deployment.Spec.Template.Spec.Containers {
			if container.Name == "debugger" && container.Image == components.DebuggerImage {
				return nil
			}
		}
		return fmt.Errorf("containers %v", deployment.Spec.Template.Spec.Containers)
	})
}

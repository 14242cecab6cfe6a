package operator

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// gatewayAPI is a file of the Gateway API's module.
func gatewayAPI(t *testing.T, path string) string {
	t.Helper()
	return filepath.Join(cluster.ModuleFolder(t, "test/thirdparty/gateway", "sigs.k8s.io/gateway-api"), path)
}

// TestAFrontendIsReachedThroughTheGatewayAPI, by its own definition of HTTPRoutes.
func TestAFrontendIsReachedThroughTheGatewayAPI(t *testing.T) {
	ns := namespace(t)
	gateway := func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Ingress.HTTPRouteGateway = "edge/public"
		cfg.Ingress.HostSuffix = "llm.example.com"
	}
	before := start(t, gateway)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, chat)
	dgd.Spec.Services["Frontend"].Ingress = &v1alpha1.IngressSpec{Enabled: true, Host: "chat"}
	create(t, dgd)
	condition(t, ns, "chat", says("Frontend: ingress.enabled needs the Gateway API"))
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}

	installDefinition(t, gatewayAPI(t, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"))
	operator := start(t, gateway)
	got := &gatewayapi.HTTPRoute{}
	get(t, ns, "chat-frontend", got)
	want := gatewayapi.HTTPRouteSpec{
		ParentRefs: []gatewayapi.ParentReference{{Namespace: "edge", Name: "public"}},
		Hostnames:  []string{"chat.llm.example.com"},
		Rules: []gatewayapi.HTTPRouteRule{{
			Matches:     []gatewayapi.HTTPRouteMatch{{Path: gatewayapi.PathMatch{Type: "PathPrefix", Value: "/"}}},
			BackendRefs: []gatewayapi.BackendRef{{Name: "chat-frontend", Port: 8000}},
		}},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	absent(t, &networkingv1.IngressList{}, ns)

	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Frontend"].Ingress.Host = "chat.elsewhere.example.com"
	})
	condition(t, ns, "chat", says("chat.elsewhere.example.com: the operator's configuration allows hosts below llm.example.com"))
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Frontend"].Ingress.Host = "chat"
		d.Spec.Services["Frontend"].Ingress.IngressControllerClassName = ptr.To("nginx")
	})
	gone(t, ns, "chat-frontend", &gatewayapi.HTTPRoute{})
	get(t, ns, "chat-frontend", &networkingv1.Ingress{})
	// The API goes before its objects' caches do otherwise.
	if err := operator.stop(); err != nil {
		t.Fatal(err)
	}
}

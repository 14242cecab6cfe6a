package render

import (
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
)

// ingress exposes the component outside the cluster where its spec asks for
// that, and a frontend that says nothing where the operator has a class for it.
func (c *component) ingress(port string) *networkingv1.Ingress {
	spec := c.ingressSpec()
	if spec == nil || !spec.Enabled || spec.UseVirtualService || RoutedByGateway(spec, c.config) {
		return nil
	}
	host := Host(spec, c.config)
	prefix := networkingv1.PathTypePrefix
	ingress := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: c.exposedMeta(spec),
		Spec: networkingv1.IngressSpec{
			Rules: []networkingv1.IngressRule{{
				Host: host,
				IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
					Paths: []networkingv1.HTTPIngressPath{{
						Path: "/", PathType: &prefix,
						Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
							Name: c.object.Name,
							Port: networkingv1.ServiceBackendPort{Name: port},
						}},
					}},
				}},
			}},
		},
	}
	if spec.IngressControllerClassName != nil && *spec.IngressControllerClassName != "" {
		ingress.Spec.IngressClassName = spec.IngressControllerClassName
	}
	if spec.TLS != nil && spec.TLS.SecretName != "" {
		ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: spec.TLS.SecretName}}
	}
	return ingress
}

// virtualService exposes the component through Istio instead.
func (c *component) virtualService(port int32) *istio.VirtualService {
	spec := c.ingressSpec()
	if spec == nil || !spec.Enabled || !spec.UseVirtualService {
		return nil
	}
	return &istio.VirtualService{
		TypeMeta:   metav1.TypeMeta{APIVersion: istio.GroupVersion.String(), Kind: istio.Kind},
		ObjectMeta: c.exposedMeta(spec),
		Spec: istio.VirtualServiceSpec{
			Hosts:    []string{Host(spec, c.config)},
			Gateways: []string{*spec.VirtualServiceGateway},
			HTTP: []istio.HTTPRoute{{
				Match: []istio.HTTPMatch{{URI: istio.URIMatch{Prefix: "/"}}},
				Route: []istio.RouteDestination{{Destination: istio.Destination{
					Host: c.object.Name, Port: istio.PortSelector{Number: port},
				}}},
			}},
		},
	}
}

// RoutedByGateway reports whether what is exposed gets an HTTPRoute: the
// configuration has a Gateway, and nothing is asked for that only others have.
func RoutedByGateway(spec *v1alpha1.IngressSpec, cfg *config.OperatorConfiguration) bool {
	return cfg.Ingress.HTTPRouteGateway != "" && !spec.UseVirtualService &&
		(spec.IngressControllerClassName == nil || *spec.IngressControllerClassName == "") &&
		(spec.TLS == nil || spec.TLS.SecretName == "")
}

// httpRoute exposes the component through the Gateway of the configuration, which
// also says how requests are encrypted.
func (c *component) httpRoute(port int32) *gatewayapi.HTTPRoute {
	spec := c.ingressSpec()
	if spec == nil || !spec.Enabled || !RoutedByGateway(spec, c.config) {
		return nil
	}
	var parent gatewayapi.ParentReference
	var qualified bool
	if parent.Namespace, parent.Name, qualified = strings.Cut(c.config.Ingress.HTTPRouteGateway, "/"); !qualified {
		parent = gatewayapi.ParentReference{Name: c.config.Ingress.HTTPRouteGateway}
	}
	return &gatewayapi.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayapi.GroupVersion.String(), Kind: gatewayapi.Kind},
		ObjectMeta: c.exposedMeta(spec),
		Spec: gatewayapi.HTTPRouteSpec{
			ParentRefs: []gatewayapi.ParentReference{parent},
			Hostnames:  []string{Host(spec, c.config)},
			Rules: []gatewayapi.HTTPRouteRule{{
				Matches:     []gatewayapi.HTTPRouteMatch{{Path: gatewayapi.PathMatch{Type: "PathPrefix", Value: "/"}}},
				BackendRefs: []gatewayapi.BackendRef{{Name: c.object.Name, Port: port}},
			}},
		},
	}
}

// exposedMeta is that of an Ingress, VirtualService or HTTPRoute.
func (c *component) exposedMeta(spec *v1alpha1.IngressSpec) metav1.ObjectMeta {
	meta := c.objectMeta(c.allowed(spec.Annotations))
	meta.Labels = mergeMaps(free(spec.Labels), meta.Labels)
	return meta
}

// ingressSpec is the user's, with the operator's class and gateway where it
// names none.
func (c *component) ingressSpec() *v1alpha1.IngressSpec {
	defaults := c.config.Ingress
	if c.spec.Ingress == nil {
		if c.spec.ComponentType != v1alpha1.ComponentTypeFrontend {
			return nil
		}
		return defaultIngress(defaults, firstOf(c.graph, c.object.Name))
	}
	spec := c.spec.Ingress.DeepCopy()
	if spec.IngressControllerClassName == nil && defaults.ClassName != "" {
		spec.IngressControllerClassName = &defaults.ClassName
	}
	if spec.VirtualServiceGateway == nil || *spec.VirtualServiceGateway == "" {
		spec.VirtualServiceGateway = &defaults.VirtualServiceGateway
	}
	return spec
}

// defaultIngress is that of a frontend which says nothing; nil where the
// configuration has neither a class nor a gateway for it.
func defaultIngress(defaults config.Ingress, host string) *v1alpha1.IngressSpec {
	if defaults.ClassName == "" && defaults.VirtualServiceGateway == "" && defaults.HTTPRouteGateway == "" {
		return nil
	}
	if defaults.HTTPRouteGateway != "" {
		return &v1alpha1.IngressSpec{Enabled: true, Host: host}
	}
	return &v1alpha1.IngressSpec{
		Enabled: true, Host: host,
		IngressControllerClassName: &defaults.ClassName,
		TLS:                        &v1alpha1.IngressTLSSpec{SecretName: defaults.TLSSecretName},
		UseVirtualService:          defaults.VirtualServiceGateway != "",
		VirtualServiceGateway:      &defaults.VirtualServiceGateway,
	}
}

// distinctHost gives a frontend that says nothing a host of its own, where
// another one by name has the graph's already: two Ingresses of one host and
// path would share its requests.
func distinctHost(dgd *v1alpha1.DynamoGraphDeployment, name string, defaults config.Ingress) *v1alpha1.IngressSpec {
	for _, other := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[other]
		switch {
		case other == name:
			return nil
		case service != nil && service.ComponentType == v1alpha1.ComponentTypeFrontend && service.Ingress == nil:
			return defaultIngress(defaults, ComponentName(dgd.Name, name))
		}
	}
	return nil
}

// Host is prefix + host + suffix. The operator's suffix completes a bare name
// only; a name with a dot is a full one already.
func Host(spec *v1alpha1.IngressSpec, cfg *config.OperatorConfiguration) string {
	host := spec.Host
	if spec.HostPrefix != nil {
		host = *spec.HostPrefix + host
	}
	suffix := cfg.Ingress.HostSuffix
	if spec.HostSuffix != nil {
		suffix = *spec.HostSuffix
	} else if strings.Contains(spec.Host, ".") {
		suffix = ""
	}
	if suffix == "" {
		return host
	}
	return host + "." + strings.TrimPrefix(suffix, ".")
}

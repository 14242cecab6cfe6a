package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Ingress holds the defaults for exposing frontends, and what graphs may ask for
// instead.
type Ingress struct {
	ClassName     string `json:"className"`
	TLSSecretName string `json:"tlsSecretName"`
	HostSuffix    string `json:"hostSuffix"`
	// VirtualServiceGateway is the Istio gateway of frontends, as
	// namespace/name or name; empty means that Istio is not used.
	VirtualServiceGateway string `json:"virtualServiceGateway"`
	// HTTPRouteGateway is the Gateway of the Gateway API, as namespace/name or
	// name, to which HTTPRoutes lead what asks neither for a class of Ingress nor
	// for a VirtualService; empty means that there are none.
	HTTPRouteGateway string `json:"httpRouteGateway"`
	// AllowedHostSuffixes are domains besides HostSuffix below which graphs may
	// choose hosts.
	AllowedHostSuffixes []string `json:"allowedHostSuffixes"`
	// AllowedAnnotationPrefixes are the beginnings of annotations that graphs
	// may put on what exposes them.
	AllowedAnnotationPrefixes []string `json:"allowedAnnotationPrefixes"`
}

const (
	// anyHost among the allowed suffixes allows all.
	anyHost = "*"
	// namespacePlaceholder in a suffix is the graph's namespace.
	namespacePlaceholder = "{namespace}"
)

// streamingAnnotations concern only requests to the Ingress that has them: an
// answer of a model takes longer than a controller waits by default, and a
// prompt may be larger than it takes.
func streamingAnnotations() []string {
	const nginx = "nginx.ingress.kubernetes.io/"
	return []string{
		nginx + "proxy-body-size", nginx + "proxy-buffering",
		nginx + "proxy-connect-timeout", nginx + "proxy-read-timeout", nginx + "proxy-send-timeout",
	}
}

// HostSuffixes are the domains below which graphs of a namespace may choose hosts.
func (i Ingress) HostSuffixes(namespace string) []string {
	suffixes := []string{}
	if i.HostSuffix != "" {
		suffixes = append(suffixes, i.HostSuffix)
	}
	for _, suffix := range i.AllowedHostSuffixes {
		suffixes = append(suffixes, strings.ReplaceAll(suffix, namespacePlaceholder, namespace))
	}
	return suffixes
}

// AllowsHost reports whether a graph of a namespace may choose this host.
func (i Ingress) AllowsHost(host, namespace string) bool {
	return slices.ContainsFunc(i.HostSuffixes(namespace), func(suffix string) bool {
		return suffix == anyHost || host == suffix || strings.HasSuffix(host, "."+suffix)
	})
}

// AllowsAnnotation reports whether a graph may put this annotation on what
// exposes it.
func (i Ingress) AllowsAnnotation(key string) bool {
	return slices.ContainsFunc(i.AllowedAnnotationPrefixes, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

func (i Ingress) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if i.HostSuffix != "" {
		errs = append(errs, matches(path.Child("hostSuffix"), i.HostSuffix, validation.IsDNS1123Subdomain)...)
	}
	for key, gateway := range map[string]string{"virtualServiceGateway": i.VirtualServiceGateway, "httpRouteGateway": i.HTTPRouteGateway} {
		if gateway != "" {
			errs = append(errs, matches(path.Child(key), gateway, isGateway)...)
		}
	}
	if i.HTTPRouteGateway != "" && (i.VirtualServiceGateway != "" || i.ClassName != "") {
		errs = append(errs, field.Forbidden(path.Child("httpRouteGateway"), "a frontend that says nothing is exposed in one way: leave className and virtualServiceGateway empty, or this"))
	}
	for n, suffix := range i.AllowedHostSuffixes {
		if suffix != anyHost {
			errs = append(errs, matches(path.Child("allowedHostSuffixes").Index(n), strings.ReplaceAll(suffix, namespacePlaceholder, "namespace"), validation.IsDNS1123Subdomain)...)
		}
	}
	for n, prefix := range i.AllowedAnnotationPrefixes {
		if prefix == "" {
			errs = append(errs, field.Required(path.Child("allowedAnnotationPrefixes").Index(n), "the beginning of an annotation: an empty one would allow all"))
		}
	}
	return errs
}

// isGateway: a name refers to the namespace of the VirtualService or HTTPRoute.
func isGateway(gateway string) []string {
	namespace, name, qualified := strings.Cut(gateway, "/")
	if !qualified {
		return validation.IsDNS1123Subdomain(gateway)
	}
	return append(validation.IsDNS1123Label(namespace), validation.IsDNS1123Subdomain(name)...)
}

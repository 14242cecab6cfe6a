package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// exposed checks what a component asks of the world outside the cluster, where
// the hosts and controllers are shared by all.
func exposed(path *field.Path, namespace string, ingress *v1alpha1.IngressSpec, cfg *config.OperatorConfiguration) field.ErrorList {
	if ingress == nil || !ingress.Enabled || ingress.Host == "" {
		return nil
	}
	errs := host(path.Child("host"), render.Host(ingress, cfg), namespace, cfg.Ingress)
	for _, key := range slices.Sorted(maps.Keys(ingress.Annotations)) {
		if !render.Reserved(key) && !cfg.Ingress.AllowsAnnotation(key) {
			errs = append(errs, field.Forbidden(path.Child("annotations").Key(key),
				"the operator's configuration allows "+listed("those that begin with", cfg.Ingress.AllowedAnnotationPrefixes)+" (ingress.allowedAnnotationPrefixes)"))
		}
	}
	if gateway := ingress.VirtualServiceGateway; ingress.UseVirtualService && gateway != nil && !allowsGateway(*gateway, namespace, cfg.Ingress) {
		errs = append(errs, field.Forbidden(path.Child("virtualServiceGateway"),
			fmt.Sprintf("%s is neither in the graph's namespace nor the gateway of the operator's configuration: leave the field out", *gateway)))
	}
	return errs
}

// host: a wildcard would take the hosts of all other graphs.
func host(path *field.Path, host, namespace string, allowed config.Ingress) field.ErrorList {
	if problems := validation.IsDNS1123Subdomain(host); len(problems) > 0 {
		return field.ErrorList{field.Invalid(path, host, "is not the name of a host: "+problems[0])}
	}
	if allowed.AllowsHost(host, namespace) {
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%s: the operator's configuration allows %s (ingress.allowedHostSuffixes)",
		host, listed("hosts below", allowed.HostSuffixes(namespace))))}
}

func allowsGateway(gateway, namespace string, allowed config.Ingress) bool {
	if gateway == "" || gateway == allowed.VirtualServiceGateway {
		return true
	}
	where, _, qualified := strings.Cut(gateway, "/")
	// Without a namespace it is in that of the graph, but for Istio's word for all proxies.
	return qualified && where == namespace || !qualified && gateway != "mesh"
}

func listed(what string, items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return what + " " + strings.Join(items, ", ")
}

package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// ResourceRequirements converts a service's resources. An extended resource,
// such as a GPU, that is only requested is limited to the same amount, because
// the API demands both to be equal.
func ResourceRequirements(r *v1alpha1.Resources) (corev1.ResourceRequirements, error) {
	var out corev1.ResourceRequirements
	if r == nil {
		return out, nil
	}
	var err error
	if out.Limits, err = resourceList("limits", r.Limits, nil); err != nil {
		return out, err
	}
	if out.Requests, err = resourceList("requests", r.Requests, r.Limits); err != nil {
		return out, err
	}
	out.Claims = slices.Clone(r.Claims)
	limitExtendedResources(&out)
	return out, nil
}

func limitExtendedResources(r *corev1.ResourceRequirements) {
	for name, quantity := range r.Requests {
		if _, limited := r.Limits[name]; limited || !isExtended(name) {
			continue
		}
		if r.Limits == nil {
			r.Limits = corev1.ResourceList{}
		}
		r.Limits[name] = quantity
	}
}

// isExtended: Kubernetes' own resources have no domain in their name.
func isExtended(name corev1.ResourceName) bool {
	domain, _, hasDomain := strings.Cut(string(name), "/")
	return hasDomain && !strings.HasSuffix(domain, "kubernetes.io")
}

// resourceList converts one side. The type of a requested GPU is that of the
// limited one, unless the request names its own.
func resourceList(side string, item, typed *v1alpha1.ResourceItem) (corev1.ResourceList, error) {
	if item == nil {
		return nil, nil
	}
	list := corev1.ResourceList{}
	var firstErr error
	add := func(field, name, value string) {
		if value == "" {
			return
		}
		quantity, err := resource.ParseQuantity(value)
		if err != nil && firstErr == nil {
			firstErr = fmt.Errorf("resources.%s.%s: %q is not a quantity such as 4, 500m or 16Gi", side, field, value)
		}
		list[corev1.ResourceName(name)] = quantity
	}
	add("cpu", string(corev1.ResourceCPU), item.CPU)
	add("memory", string(corev1.ResourceMemory), item.Memory)
	add("gpu", gpuType(item, typed), item.GPU)
	for _, name := range slices.Sorted(maps.Keys(item.Custom)) {
		add("custom["+name+"]", name, item.Custom[name])
	}
	if len(list) == 0 {
		return nil, firstErr
	}
	return list, firstErr
}

func gpuType(items ...*v1alpha1.ResourceItem) string {
	for _, item := range items {
		if item != nil && item.GPUType != "" {
			return item.GPUType
		}
	}
	return v1alpha1.DefaultGPUType
}

// mergeResources lets what the user wrote on the container itself win.
func mergeResources(user, service corev1.ResourceRequirements) corev1.ResourceRequirements {
	merge := func(weak, strong corev1.ResourceList) corev1.ResourceList {
		if len(weak)+len(strong) == 0 {
			return nil
		}
		list := corev1.ResourceList{}
		maps.Copy(list, weak)
		maps.Copy(list, strong)
		return list
	}
	merged := corev1.ResourceRequirements{
		Limits:   merge(service.Limits, user.Limits),
		Requests: merge(service.Requests, user.Requests),
		Claims:   mergeByKey(user.Claims, service.Claims, func(c corev1.ResourceClaim) string { return c.Name + "/" + c.Request }),
	}
	limitExtendedResources(&merged)
	return merged
}

// GPUsOf is how many GPUs the main container of a service asks for.
func GPUsOf(s *v1alpha1.DynamoComponentDeploymentSharedSpec) int64 {
	service, _ := ResourceRequirements(s.Resources) // whoever validates says what is wrong with them
	if s.ExtraPodSpec == nil || s.ExtraPodSpec.MainContainer == nil {
		return GPUs(service)
	}
	return GPUs(mergeResources(s.ExtraPodSpec.MainContainer.Resources, service))
}

// GPUs is how many a container asks for, whole ones and shares alike.
func GPUs(r corev1.ResourceRequirements) (gpus int64) {
	for name, quantity := range r.Limits {
		domain, kind, _ := strings.Cut(string(name), "/")
		if isExtended(name) && (domain == "nvidia.com" || strings.HasPrefix(kind, "gpu") || strings.HasPrefix(domain, "gpu.")) {
			gpus += quantity.Value()
		}
	}
	return gpus
}

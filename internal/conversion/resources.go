package conversion

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// quantities are a service's resources as a container has them, without those that are no quantities.
func quantities(r *v1alpha1.Resources) corev1.ResourceRequirements {
	var out corev1.ResourceRequirements
	if r == nil {
		return out
	}
	visit(r, func(list *corev1.ResourceList, name corev1.ResourceName, value *string) {
		if quantity, err := resource.ParseQuantity(*value); err == nil {
			if *list == nil {
				*list = corev1.ResourceList{}
			}
			(*list)[name] = quantity
		}
	}, &out)
	out.Claims = slices.Clone(r.Claims)
	return out
}

// visit calls for each amount that a service gives, with the list of a container in which it belongs.
// A changed value is written back, and an empty one leaves its place.
func visit(r *v1alpha1.Resources, call func(list *corev1.ResourceList, name corev1.ResourceName, value *string), container *corev1.ResourceRequirements) {
	side := func(item *v1alpha1.ResourceItem, list *corev1.ResourceList, gpu string) {
		if item == nil {
			return
		}
		for _, field := range []struct {
			name  string
			value *string
		}{{"cpu", &item.CPU}, {"memory", &item.Memory}, {gpu, &item.GPU}} {
			if *field.value != "" {
				call(list, corev1.ResourceName(field.name), field.value)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(item.Custom)) {
			value := item.Custom[name]
			call(list, corev1.ResourceName(name), &value)
			if value == "" {
				delete(item.Custom, name)
			} else {
				item.Custom[name] = value
			}
		}
	}
	side(r.Limits, &container.Limits, gpuName(r.Limits))
	side(r.Requests, &container.Requests, gpuName(r.Requests, r.Limits))
}

func gpuName(items ...*v1alpha1.ResourceItem) string {
	for _, item := range items {
		if item != nil && item.GPUType != "" {
			return item.GPUType
		}
	}
	return v1alpha1.DefaultGPUType
}

// uniteResources lets the container's own win, as they do in its pods.
func uniteResources(container, service corev1.ResourceRequirements) corev1.ResourceRequirements {
	unite := func(weak, strong corev1.ResourceList) corev1.ResourceList {
		if len(weak)+len(strong) == 0 {
			return nil
		}
		list := corev1.ResourceList{}
		maps.Copy(list, weak)
		maps.Copy(list, strong)
		return list
	}
	return corev1.ResourceRequirements{
		Limits: unite(service.Limits, container.Limits), Requests: unite(service.Requests, container.Requests),
		Claims: append(slices.Clone(container.Claims), missing(service.Claims, container.Claims, claimKey)...),
	}
}

// divide gives back to a service the amounts that it had, from a container that has all; those that
// both had stay in the container too. What the container has no longer, nobody gets.
func divide(had *v1alpha1.Resources, both corev1.ResourceRequirements, container *corev1.ResourceRequirements) *v1alpha1.Resources {
	service := had.DeepCopy()
	visit(service, func(list *corev1.ResourceList, name corev1.ResourceName, value *string) {
		before, err := resource.ParseQuantity(*value)
		now, found := (*list)[name]
		shadowed := both.Limits
		if list == &container.Requests {
			shadowed = both.Requests
		}
		_, inBoth := shadowed[name]
		switch {
		case err != nil:
		case !found:
			*value = ""
		case inBoth:
		case before.Cmp(now) != 0:
			*value = now.String()
			delete(*list, name)
		default:
			delete(*list, name)
		}
	}, container)
	service.Claims = nil
	for _, claim := range had.Claims {
		if has(container.Claims, claimKey, claimKey(claim)) {
			service.Claims = append(service.Claims, claim)
		}
		if !has(both.Claims, claimKey, claimKey(claim)) {
			container.Claims = slices.DeleteFunc(container.Claims, func(c corev1.ResourceClaim) bool { return claimKey(c) == claimKey(claim) })
		}
	}
	// An amount that is gone leaves nothing behind.
	for side, before := range map[**v1alpha1.ResourceItem]*v1alpha1.ResourceItem{&service.Limits: had.Limits, &service.Requests: had.Requests} {
		if *side != nil && zero(**side) && !zero(*before) {
			*side = nil
		}
	}
	if zero(*service) && !zero(*had) {
		return nil
	}
	return service
}

// inBoth are the amounts that a container and a service give, with the container's value.
func inBoth(container, service corev1.ResourceRequirements) corev1.ResourceRequirements {
	both := func(a, b corev1.ResourceList) corev1.ResourceList {
		list := maps.Clone(a)
		maps.DeleteFunc(list, func(name corev1.ResourceName, _ resource.Quantity) bool { _, found := b[name]; return !found })
		if len(list) == 0 {
			return nil
		}
		return list
	}
	out := corev1.ResourceRequirements{Limits: both(container.Limits, service.Limits), Requests: both(container.Requests, service.Requests)}
	for _, claim := range container.Claims {
		if has(service.Claims, claimKey, claimKey(claim)) {
			out.Claims = append(out.Claims, claim)
		}
	}
	return out
}

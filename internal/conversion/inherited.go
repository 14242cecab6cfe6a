package conversion

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// inherited is what a graph of v1beta1 says once for all components, and v1alpha1 for each service. It
// is written into every service, where it works and can be read and changed; kept is what to take out of
// the services again.
type inherited struct {
	Annotations       map[string]string `json:"annotations,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	PriorityClassName string            `json:"priorityClassName,omitempty"`
	// OwnPriority are the components that name the graph's class themselves.
	OwnPriority []string `json:"ownPriority,omitempty"`
}

// giveTo writes it into services, where those do not say otherwise.
func (in *inherited) giveTo(services map[string]*alphaSpec) {
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s := services[name]
		s.Annotations, s.Labels = below(s.Annotations, in.Annotations), below(s.Labels, in.Labels)
		switch {
		case in.PriorityClassName == "":
		case priorityOf(s) == in.PriorityClassName:
			in.OwnPriority = append(in.OwnPriority, name)
		case priorityOf(s) == "":
			if s.ExtraPodSpec == nil {
				s.ExtraPodSpec = &v1alpha1.ExtraPodSpec{}
			}
			if s.ExtraPodSpec.PodSpec == nil {
				s.ExtraPodSpec.PodSpec = &corev1.PodSpec{}
			}
			s.ExtraPodSpec.PriorityClassName = in.PriorityClassName
		}
	}
}

// takeFrom takes out of services what they were given, and returns it: as much as all of them still have.
func (in *inherited) takeFrom(services map[string]*alphaSpec) inherited {
	taken := inherited{
		Annotations: takeMap(services, in.Annotations, func(s *alphaSpec) *map[string]string { return &s.Annotations }),
		Labels:      takeMap(services, in.Labels, func(s *alphaSpec) *map[string]string { return &s.Labels }),
	}
	if in.PriorityClassName == "" {
		return taken
	}
	for name := range services {
		if priorityOf(service(services, name)) == "" {
			return taken
		}
	}
	taken.PriorityClassName = in.PriorityClassName
	for name, s := range services {
		if s == nil || priorityOf(s) != in.PriorityClassName || slices.Contains(in.OwnPriority, name) {
			continue
		}
		s.ExtraPodSpec.PriorityClassName = ""
		if zero(*s.ExtraPodSpec.PodSpec) {
			s.ExtraPodSpec.PodSpec = nil
		}
		if *s.ExtraPodSpec == (v1alpha1.ExtraPodSpec{}) {
			s.ExtraPodSpec = nil
		}
	}
	return taken
}

func takeMap(services map[string]*alphaSpec, given map[string]string, field func(*alphaSpec) *map[string]string) map[string]string {
	taken := maps.Clone(given)
	maps.DeleteFunc(taken, func(key, _ string) bool {
		for name := range services {
			if _, found := (*field(service(services, name)))[key]; !found {
				return true
			}
		}
		return false
	})
	for _, s := range services {
		if s == nil {
			continue
		}
		m := field(s)
		maps.DeleteFunc(*m, func(key, value string) bool { given, found := taken[key]; return found && given == value })
		if len(*m) == 0 {
			*m = nil
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return taken
}

func priorityOf(s *alphaSpec) string {
	if s.ExtraPodSpec == nil || s.ExtraPodSpec.PodSpec == nil {
		return ""
	}
	return s.ExtraPodSpec.PriorityClassName
}

// below adds what a map lacks.
func below(m, weak map[string]string) map[string]string {
	if len(weak) == 0 {
		return m
	}
	united := maps.Clone(weak)
	maps.Copy(united, m)
	return united
}

package conversion

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// alphaGraph is what v1beta1 cannot say of a graph.
type alphaGraph struct {
	PVCs     []v1alpha1.PVC        `json:"pvcs,omitempty"`
	Services map[string]*alphaRest `json:"services,omitempty"`
}

// betaGraph is what v1alpha1 cannot say of a graph.
type betaGraph struct {
	inherited

	TopologyConstraint *v1beta1.SpecTopologyConstraint                `json:"topologyConstraint,omitempty"`
	ProviderOverride   *v1beta1.ProviderOverride                      `json:"providerOverride,omitempty"`
	Experimental       *v1beta1.DynamoGraphDeploymentExperimentalSpec `json:"experimental,omitempty"`
	// Components are all, in their order, where that is not the one of their names; or else those that
	// have something to keep.
	Components []betaRest `json:"components,omitempty"`
}

// GraphToBeta converts a graph of v1alpha1.
func GraphToBeta(a *v1alpha1.DynamoGraphDeployment) *v1beta1.DynamoGraphDeployment {
	kept := read[betaGraph](a.ObjectMeta, specAnnotation)
	if kept == nil {
		kept = &betaGraph{}
	}
	a = a.DeepCopy()
	b := &v1beta1.DynamoGraphDeployment{TypeMeta: betaMeta(a.TypeMeta)}
	inherited := kept.takeFrom(a.Spec.Services)
	b.Spec = v1beta1.DynamoGraphDeploymentSpec{
		BackendFramework: a.Spec.BackendFramework, Env: a.Spec.Envs, Restart: betaRestart(a.Spec.Restart),
		Annotations: inherited.Annotations, Labels: inherited.Labels, PriorityClassName: inherited.PriorityClassName,
		TopologyConstraint: kept.TopologyConstraint, ProviderOverride: kept.ProviderOverride, Experimental: kept.Experimental,
	}
	rest := alphaGraph{PVCs: a.Spec.PVCs}
	for _, name := range kept.orderOf(a.Spec.Services) {
		component := toBeta(name, service(a.Spec.Services, name), kept.component(name))
		if lacks := alphaRestOf(service(a.Spec.Services, name), component); lacks != nil {
			if rest.Services == nil {
				rest.Services = map[string]*alphaRest{}
			}
			rest.Services[name] = lacks
		}
		b.Spec.Components = append(b.Spec.Components, *component)
	}
	b.Status = *betaGraphStatus(&a.Status, read[betaGraphRest](a.ObjectMeta, statusAnnotation))
	b.ObjectMeta = withKept(a.ObjectMeta, []any{rest, rest.withoutExact()}, nil)
	return b
}

// GraphToAlpha converts a graph of v1beta1.
func GraphToAlpha(b *v1beta1.DynamoGraphDeployment) *v1alpha1.DynamoGraphDeployment {
	kept := read[alphaGraph](b.ObjectMeta, specAnnotation)
	if kept == nil {
		kept = &alphaGraph{}
	}
	b = b.DeepCopy()
	a := &v1alpha1.DynamoGraphDeployment{TypeMeta: alphaMeta(b.TypeMeta)}
	a.Spec = v1alpha1.DynamoGraphDeploymentSpec{
		BackendFramework: b.Spec.BackendFramework, Envs: b.Spec.Env, Restart: alphaRestart(b.Spec.Restart), PVCs: kept.PVCs,
	}
	rest := betaGraph{TopologyConstraint: b.Spec.TopologyConstraint, ProviderOverride: b.Spec.ProviderOverride, Experimental: b.Spec.Experimental}
	ordered := slices.IsSortedFunc(b.Spec.Components, func(x, y betaSpec) int { return compareNames(x.Name, y.Name) })
	for i := range b.Spec.Components {
		component := &b.Spec.Components[i]
		if a.Spec.Services == nil {
			a.Spec.Services = map[string]*alphaSpec{}
		}
		converted := toAlpha(component, kept.Services[component.Name])
		a.Spec.Services[component.Name] = converted
		if lacks := betaRestOf(component, converted); lacks != nil {
			rest.Components = append(rest.Components, *lacks)
		} else if !ordered {
			rest.Components = append(rest.Components, betaRest{Name: component.Name})
		}
	}
	rest.inherited = inherited{Annotations: b.Spec.Annotations, Labels: b.Spec.Labels, PriorityClassName: b.Spec.PriorityClassName}
	rest.giveTo(a.Spec.Services)
	status, statusRest := alphaGraphStatus(&b.Status)
	a.Status = *status
	a.ObjectMeta = withKept(b.ObjectMeta, []any{rest, rest.withoutExact()}, []any{statusRest})
	return a
}

func service(services map[string]*alphaSpec, name string) *alphaSpec {
	if s := services[name]; s != nil {
		return s
	}
	return &alphaSpec{}
}

func compareNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (g *betaGraph) component(name string) *betaRest {
	for i := range g.Components {
		if g.Components[i].Name == name {
			return &g.Components[i]
		}
	}
	return nil
}

// orderOf is that of the names, or the one that was kept; what is new comes last.
func (g *betaGraph) orderOf(services map[string]*alphaSpec) []string {
	names := slices.Sorted(maps.Keys(services))
	var order []string
	for _, c := range g.Components {
		order = append(order, c.Name)
	}
	if slices.IsSorted(order) {
		return names
	}
	return arrange(names, order, func(name string) string { return name })
}

func (g *betaGraph) withoutExact() betaGraph {
	smaller := *g
	smaller.Components = slices.Clone(g.Components)
	for i := range smaller.Components {
		smaller.Components[i].Exact = nil
	}
	return smaller
}

func (g *alphaGraph) withoutExact() alphaGraph {
	smaller := alphaGraph{PVCs: g.PVCs, Services: map[string]*alphaRest{}}
	for name, rest := range g.Services {
		smaller.Services[name] = rest.withoutExact()
	}
	return smaller
}

func betaMeta(meta metav1.TypeMeta) metav1.TypeMeta {
	if meta.APIVersion != "" {
		meta.APIVersion = v1beta1.GroupVersion.String()
	}
	return meta
}

func alphaMeta(meta metav1.TypeMeta) metav1.TypeMeta {
	if meta.APIVersion != "" {
		meta.APIVersion = v1alpha1.GroupVersion.String()
	}
	return meta
}

func betaRestart(r *v1alpha1.Restart) *v1beta1.Restart {
	if r == nil {
		return nil
	}
	return &v1beta1.Restart{ID: r.ID, Strategy: (*v1beta1.RestartStrategy)(r.Strategy)}
}

func alphaRestart(r *v1beta1.Restart) *v1alpha1.Restart {
	if r == nil {
		return nil
	}
	return &v1alpha1.Restart{ID: r.ID, Strategy: (*v1alpha1.RestartStrategy)(r.Strategy)}
}

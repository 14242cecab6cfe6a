package grove

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// DeepCopyObject implements runtime.Object.
func (s *PodCliqueSet) DeepCopyObject() runtime.Object { return s.DeepCopy() }

// DeepCopy returns a copy that shares nothing with s.
func (s *PodCliqueSet) DeepCopy() *PodCliqueSet {
	if s == nil {
		return nil
	}
	out := *s
	out.ObjectMeta = *s.ObjectMeta.DeepCopy()
	out.Spec.Template = s.Spec.Template.copy()
	out.Status.ObservedGeneration = copyOf(s.Status.ObservedGeneration)
	out.Status.LastErrors = slices.Clone(s.Status.LastErrors)
	return &out
}

func (t PodCliqueSetTemplate) copy() PodCliqueSetTemplate {
	out := t
	out.Cliques = slices.Clone(t.Cliques)
	for i := range out.Cliques {
		clique := &out.Cliques[i]
		clique.Labels, clique.Annotations = maps.Clone(clique.Labels), maps.Clone(clique.Annotations)
		clique.Spec.PodSpec = *clique.Spec.PodSpec.DeepCopy()
		clique.Spec.StartsAfter = slices.Clone(clique.Spec.StartsAfter)
	}
	out.Headless, out.TerminationDelay = copyOf(t.Headless), copyOf(t.TerminationDelay)
	out.ScalingGroups = slices.Clone(t.ScalingGroups)
	for i := range out.ScalingGroups {
		out.ScalingGroups[i].CliqueNames = slices.Clone(out.ScalingGroups[i].CliqueNames)
	}
	return out
}

// DeepCopyObject implements runtime.Object.
func (l *PodCliqueSetList) DeepCopyObject() runtime.Object {
	out := *l
	l.DeepCopyInto(&out.ListMeta)
	out.Items = copyAll(l.Items, (*PodCliqueSet).DeepCopy)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (c *PodClique) DeepCopyObject() runtime.Object { return c.DeepCopy() }

// DeepCopy returns a copy that shares nothing with c.
func (c *PodClique) DeepCopy() *PodClique {
	if c == nil {
		return nil
	}
	out := *c
	out.ObjectMeta = *c.ObjectMeta.DeepCopy()
	out.Status.ObservedGeneration = copyOf(c.Status.ObservedGeneration)
	out.Status.LastErrors = slices.Clone(c.Status.LastErrors)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *PodCliqueList) DeepCopyObject() runtime.Object {
	out := *l
	l.DeepCopyInto(&out.ListMeta)
	out.Items = copyAll(l.Items, (*PodClique).DeepCopy)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (g *PodCliqueScalingGroup) DeepCopyObject() runtime.Object { return g.DeepCopy() }

// DeepCopy returns a copy that shares nothing with g.
func (g *PodCliqueScalingGroup) DeepCopy() *PodCliqueScalingGroup {
	if g == nil {
		return nil
	}
	out := *g
	out.ObjectMeta = *g.ObjectMeta.DeepCopy()
	out.Status.ObservedGeneration = copyOf(g.Status.ObservedGeneration)
	out.Status.LastErrors = slices.Clone(g.Status.LastErrors)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *PodCliqueScalingGroupList) DeepCopyObject() runtime.Object {
	out := *l
	l.DeepCopyInto(&out.ListMeta)
	out.Items = copyAll(l.Items, (*PodCliqueScalingGroup).DeepCopy)
	return &out
}

func copyAll[T any](items []T, copied func(*T) *T) []T {
	out := slices.Clone(items)
	for i := range out {
		out[i] = *copied(&out[i])
	}
	return out
}

func copyOf[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return ptr.To(*value)
}

package rollout

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Select returns, for namespaces that releases of the fleet live in or serve,
// both: whoever names a tenant means its platform too. A namespace that no
// release is about is an error.
func (id Identity) Select(namespaces []string) ([]string, error) {
	known := id.Namespaces()
	for _, namespace := range namespaces {
		if slices.Contains(known, namespace) {
			continue
		}
		if meant := spelling.Closest(namespace, known); meant != "" {
			return nil, fmt.Errorf("the fleet has no release in namespace %q; did you mean %q?", namespace, meant)
		}
		return nil, fmt.Errorf("the fleet has no release in namespace %q", namespace)
	}
	all := slices.Clone(namespaces)
	for _, rel := range id.Set.Releases {
		if about := rel.Namespaces(); slices.ContainsFunc(about, func(name string) bool { return slices.Contains(namespaces, name) }) {
			all = append(all, about...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// chosen reports whether a namespace is selected; all are if none is named.
func chosen(namespaces []string, namespace string) bool {
	return len(namespaces) == 0 || slices.Contains(namespaces, namespace)
}

// Only leaves what belongs to other namespaces for another run. The CRDs, which
// all need, are not left out.
func (p *Plan) Only(namespaces []string) {
	if len(namespaces) == 0 {
		return
	}
	left, used := map[string]bool{}, map[string]bool{}
	for i := range p.Steps {
		step := &p.Steps[i]
		about := step.Kind == StepRelease || step.Kind == StepCertificate || step.Kind == StepGate
		other := about && step.target.Chart != "" && !ofCluster(step.target.Chart) && !slices.Contains(namespaces, step.Key.Namespace)
		switch {
		case other && step.Kind == StepRelease:
			step.Action, step.Reason, step.Needs = ActionLater, "its namespace is not selected", nil
		case other:
			left[step.ID] = true
		case step.Kind == StepRelease:
			used[step.Key.Namespace] = true
			for _, namespace := range step.target.Namespaces() {
				used[namespace] = true
			}
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool {
		return left[s.ID] || s.Kind == StepNamespace && !used[s.Namespace]
	})
	p.Orphans = slices.DeleteFunc(p.Orphans, func(r Record) bool { return !chosen(namespaces, r.Namespace) })
	p.Ownership = slices.DeleteFunc(p.Ownership, func(o Ownership) bool { return o.Release.Name != "" && !used[o.Release.Namespace] })
}

// Only keeps of a status what is in the namespaces.
func (s *Status) Only(namespaces []string) {
	s.Releases = slices.DeleteFunc(s.Releases, func(r ReleaseStatus) bool { return !chosen(namespaces, r.Namespace) })
	s.Graphs = slices.DeleteFunc(s.Graphs, func(g Graph) bool { return !chosen(namespaces, g.Namespace) })
	s.Agents = slices.DeleteFunc(s.Agents, func(a Agent) bool { return !chosen(namespaces, a.Namespace) })
	s.Running = slices.DeleteFunc(s.Running, func(r Running) bool { return !chosen(namespaces, r.Namespace) })
	s.Volumes = slices.DeleteFunc(s.Volumes, func(v Volume) bool { return !chosen(namespaces, v.Namespace) })
	s.Orphans = slices.DeleteFunc(s.Orphans, func(r Record) bool { return !chosen(namespaces, r.Namespace) })
	s.Others = slices.DeleteFunc(s.Others, func(r Record) bool { return !chosen(namespaces, r.Namespace) })
}

// OfNamespaces keeps the revisions that changed a release in the namespaces.
func OfNamespaces(revisions []Revision, namespaces []string) []Revision {
	if len(namespaces) == 0 {
		return revisions
	}
	return slices.DeleteFunc(slices.Clone(revisions), func(r Revision) bool {
		return !slices.ContainsFunc(r.Releases, func(rel ReleaseAt) bool { return rel.Action.Changes() && chosen(namespaces, rel.Namespace) })
	})
}

// only keeps what a destroy removes to the namespaces. The releases of others
// stay, and are part of what the set is afterwards.
func (r *DestroyPlan) only(namespaces []string) {
	if len(namespaces) == 0 {
		return
	}
	for _, record := range r.Releases {
		if !chosen(namespaces, record.Namespace) {
			r.stay = append(r.stay, record)
		}
	}
	for _, record := range []Record{r.conversion, r.crdRelease} {
		if record.Revision > 0 {
			r.stay = append(r.stay, record)
		}
	}
	r.Releases = slices.DeleteFunc(r.Releases, func(record Record) bool { return !chosen(namespaces, record.Namespace) })
	r.Graphs = slices.DeleteFunc(r.Graphs, func(g Graph) bool { return !chosen(namespaces, g.Namespace) })
	r.Namespaces = slices.DeleteFunc(r.Namespaces, func(name string) bool { return !chosen(namespaces, name) })
	maps.DeleteFunc(r.Claims, func(key fleet.Key, _ []string) bool { return !chosen(namespaces, key.Namespace) })
}

package diagnose

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Counted is what Grove counts of a service: the pods of a PodClique, or the
// groups of a PodCliqueScalingGroup.
type Counted struct {
	// Kind and Name of what counts; Exists tells whether Grove has made it.
	Kind, Name string
	Exists     bool
	// Heard: Grove has acted upon its spec, and upon that of the PodCliqueSet.
	Heard bool
	// Current: its pods are to be those of the graph's present spec.
	Current bool
	// Wanted is what the graph says, Asked what its own spec does.
	Wanted, Asked           int32
	Present, Updated, Ready int32
	Errors                  []grove.LastError
}

// CountClique counts the pods of a PodClique, of which hash are the templates.
func CountClique(clique *grove.PodClique, hash string) Counted {
	s := clique.Status
	return Counted{
		Exists: true, Heard: acted(s.ObservedGeneration, clique.Generation), Current: ofTemplate(clique, hash),
		Asked: clique.Spec.Replicas, Present: s.Replicas, Updated: s.UpdatedReplicas, Ready: s.ReadyReplicas, Errors: s.LastErrors,
	}
}

// CountGroups counts the copies of a scaling group, of which cliques are all.
func CountGroups(group *grove.PodCliqueScalingGroup, cliques []grove.PodClique, hash string) Counted {
	s := group.Status
	counted := Counted{
		Exists: true, Heard: acted(s.ObservedGeneration, group.Generation), Current: true,
		Asked: group.Spec.Replicas, Present: s.Replicas, Updated: s.UpdatedReplicas, Ready: s.AvailableReplicas, Errors: s.LastErrors,
	}
	for i := range cliques {
		counted.Current = counted.Current && ofTemplate(&cliques[i], hash)
		counted.Errors = append(counted.Errors, cliques[i].Status.LastErrors...)
	}
	return counted
}

func ofTemplate(clique *grove.PodClique, hash string) bool {
	return clique.Labels[render.TemplateLabel] == hash
}

func acted(observed *int64, generation int64) bool { return observed != nil && *observed >= generation }

// Done reports whether there is all that is wanted, and nothing of before.
func (c Counted) Done() bool {
	return c.Exists && c.Heard && c.Current && c.Asked == c.Wanted &&
		c.Present == c.Wanted && c.Updated == c.Wanted && c.Ready == c.Wanted
}

// String says how far it is.
func (c Counted) String() string {
	what := "ready"
	if c.Kind == "PodCliqueScalingGroup" {
		what = "groups ready"
	}
	count := fmt.Sprintf("%d/%d %s", min(c.Ready, c.Wanted), c.Wanted, what)
	switch old := c.Present - c.Updated; {
	case c.Exists && !c.Heard:
		return count + ": Grove has not acted upon the latest change yet"
	case old > 0 && c.Ready > 0:
		return fmt.Sprintf("updating, %s, %d of the previous revision", count, old)
	case c.Exists && !c.Current:
		return "updating, " + count
	}
	return count
}

// Missing says what keeps Grove from making the pods, "" if nothing is known.
func (c Counted) Missing(set *grove.PodCliqueSet) string {
	if errs := slices.Concat(c.Errors, set.Status.LastErrors); len(errs) > 0 {
		return advised("Grove says: " + steady(cmp.Or(errs[0].Description, errs[0].Code)))
	}
	if !c.Exists {
		return fmt.Sprintf("Grove has not made the %s %s yet: see whether its operator runs, and kubectl describe pcs %s", c.Kind, c.Name, set.Name)
	}
	return ""
}

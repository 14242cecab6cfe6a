package fleet

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Contexts lists the contexts of the clusters that a fleet file names, in its order;
// none if it names none, or cannot be read.
func Contexts(files Files, file string) []string {
	data, err := files.Read(file)
	if err != nil {
		return nil
	}
	f, _ := Parse(file, data) // its problems are for Load to tell
	if f == nil {
		return nil
	}
	return f.contexts()
}

func (f *Fleet) contexts() (out []string) {
	for _, c := range f.Clusters {
		out = append(out, c.Context.Value)
	}
	return out
}

// settleCluster makes the fleet that of one cluster, once all platforms are known.
func (f *Fleet) settleCluster(context string) (problems Problems) {
	problems = append(f.twinClusters(), f.strayPlatforms()...)
	if len(f.Clusters) == 0 || len(problems) > 0 {
		return problems
	}
	if context == "" && len(f.Clusters) == 1 {
		context = f.Clusters[0].Context.Value
	}
	at := slices.Index(f.contexts(), context)
	switch {
	case at >= 0:
		f.Cluster = f.Clusters[at]
	case context == "":
		return Problems{{
			Origin: f.Clusters[0].Context.Origin, Message: "the fleet runs on several clusters: " + join(f.contexts()), Fix: "name one with --context",
		}}
	default:
		return Problems{{
			Origin: f.Clusters[0].Context.Origin, Message: fmt.Sprintf("the fleet does not run on cluster %q, but on: %s", context, join(f.contexts())),
			Fix: suggest(context, f.contexts(), "name one of them with --context, or add this one"),
		}}
	}
	everywhere := len(f.Platforms)
	f.Platforms = slices.DeleteFunc(f.Platforms, func(p Platform) bool { return !p.runsOn(context) })
	if everywhere > 0 && len(f.Platforms) == 0 && f.CRDs.Elsewhere {
		problems = append(problems, Problem{
			Origin: f.Cluster.Context.Origin, Message: fmt.Sprintf("nothing of the fleet runs on cluster %q", context), Fix: "remove it from spec.clusters",
		})
	}
	return problems
}

// runsOn: a platform that names no cluster runs on all.
func (p Platform) runsOn(context string) bool {
	return len(p.Clusters) == 0 || slices.ContainsFunc(p.Clusters, func(c Located[string]) bool { return c.Value == context })
}

func (f *Fleet) twinClusters() (problems Problems) {
	for i, c := range f.Clusters {
		if slices.Contains(f.contexts()[:i], c.Context.Value) {
			problems = append(problems, Problem{Origin: c.Context.Origin, Message: fmt.Sprintf("spec.clusters names %q twice", c.Context.Value)})
		}
	}
	return problems
}

// strayPlatforms reports platforms on clusters that the fleet does not name.
func (f *Fleet) strayPlatforms() (problems Problems) {
	for _, p := range f.Platforms {
		for _, c := range p.Clusters {
			if c.Value == "" || slices.Contains(f.contexts(), c.Value) {
				continue
			}
			problems = append(problems, Problem{
				Origin: c.Origin, Message: fmt.Sprintf("platform %s runs on cluster %q, which spec.clusters does not list", p.Namespace, c.Value),
				Fix: suggest(c.Value, f.contexts(), "add it there"),
			})
		}
	}
	return problems
}

// suggest asks whether a known name was meant, if one is near.
func suggest(name string, known []string, otherwise string) string {
	if meant := spelling.Closest(name, known); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	return otherwise
}

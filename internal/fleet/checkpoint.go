package fleet

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// CheckpointRelease is the name of every release of the chrek chart.
const CheckpointRelease = "chrek"

// Checkpoint says whether namespaces are prepared for checkpoints, and where
// those are kept. What is nil is not said in this place.
type Checkpoint struct {
	// Enabled asks for a release of the chrek chart, and lets graphs use checkpoints
	// where the platform lives apart from them; default false.
	Enabled *Located[bool]
	// Namespaces to prepare, for a cluster-wide platform; default its own.
	Namespaces []Located[string]
	// Storage maps a field of storage in the fleet file to its value.
	Storage map[string]Located[string]
}

// storageKeys are the fields of checkpoint.storage with the keys by which the
// charts know them.
var storageKeys = map[string][][]string{
	"name": {
		{ChartChrek, "storage", "pvc", "name"},
		{ChartPlatform, "dynamo-operator", "checkpoint", "storage", "pvc", "pvcName"},
	},
	"basePath": {
		{ChartChrek, "storage", "pvc", "basePath"},
		{ChartPlatform, "dynamo-operator", "checkpoint", "storage", "pvc", "basePath"},
	},
	"size":       {{ChartChrek, "storage", "pvc", "size"}},
	"class":      {{ChartChrek, "storage", "pvc", "storageClass"}},
	"accessMode": {{ChartChrek, "storage", "pvc", "accessMode"}},
}

// checkpoint reads a checkpoint block; only a platform's names namespaces.
func (d *decoder) checkpoint(n *yaml.Node, path string, ofPlatform bool) Checkpoint {
	var c Checkpoint
	known := fields{
		"enabled": func(n *yaml.Node) {
			enabled := d.boolean(n, path+".enabled")
			c.Enabled = &enabled
		},
		"storage": func(n *yaml.Node) { c.Storage = d.storage(n, path+".storage") },
	}
	if ofPlatform {
		known["namespaces"] = func(n *yaml.Node) {
			d.list(n, path+".namespaces", func(item *yaml.Node, path string) {
				c.Namespaces = append(c.Namespaces, d.namespace(item, path))
			})
		}
	}
	d.object(n, path, known)
	return c
}

// storage reads texts; whether a size is one is for the chart's schema to say.
func (d *decoder) storage(n *yaml.Node, path string) map[string]Located[string] {
	out := map[string]Located[string]{}
	known := fields{}
	for field := range storageKeys {
		known[field] = func(n *yaml.Node) { out[field] = d.text(n, path+"."+field) }
	}
	d.object(n, path, known)
	return out
}

// facts turns the storage into the keys by which the charts know it, so that
// the agent and the operator agree on the claim and on the path within it.
func (c Checkpoint) facts() *Value {
	var out *Value
	for field, keys := range storageKeys {
		if said, ok := c.Storage[field]; ok {
			for _, key := range keys {
				out = out.Put(fact(said.Value, said.Origin), key...)
			}
		}
	}
	return out
}

// prepares tells whether a platform's namespaces are prepared for checkpoints,
// and where the fleet file says so.
func (f *Fleet) prepares(p Platform) (bool, Origin) {
	for _, c := range []Checkpoint{p.Checkpoint, f.Shared.Checkpoint} {
		if c.Enabled != nil {
			return c.Enabled.Value, c.Enabled.Origin
		}
	}
	return false, p.Origin
}

// chrekReleases are the releases that prepare a platform's namespaces, each
// once the platform is ready.
func (r *resolver) chrekReleases(p Platform) []Release {
	enabled, origin := r.fleet.prepares(p)
	named := p.Checkpoint.Namespaces
	if len(named) > 0 && p.Scope.Value != ScopeCluster {
		r.problems = append(r.problems, Problem{
			Origin:  named[0].Origin,
			Message: fmt.Sprintf("platform %s/%s serves its own namespace only and prepares no other", p.Namespace, p.Release),
			Fix:     "remove checkpoint.namespaces, or set scope: cluster",
		})
	}
	if !enabled {
		return nil
	}
	if len(named) == 0 {
		named = []Located[string]{{Value: p.Namespace, Origin: origin}}
	}
	var out []Release
	for _, namespace := range named {
		out = append(out, Release{
			Key:   Key{Namespace: namespace.Value, Name: CheckpointRelease},
			Chart: ChartChrek, Wave: p.Wave, Origin: namespace.Origin,
			After: []Key{{Namespace: p.Namespace, Name: p.Release}},
		})
	}
	return out
}

// refuseTwins reports a release that is asked for twice, of which one is chrek:
// twins among platforms are a finding of their own.
func (r *resolver) refuseTwins(set *Set) {
	for i, rel := range set.Releases {
		twin := slices.IndexFunc(set.Releases[:i], func(other Release) bool {
			return other.Key == rel.Key && (other.Chart == ChartChrek || rel.Chart == ChartChrek)
		})
		if twin >= 0 {
			r.problems = append(r.problems, Problem{
				Origin:  rel.Origin,
				Message: fmt.Sprintf("release %s is asked for twice, see %s", rel.Key, set.Releases[twin].Origin),
				Fix:     "name each namespace once, and no platform " + CheckpointRelease,
			})
		}
	}
}

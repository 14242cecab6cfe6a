package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// crdSet is the crds/ folder of one chart that releases turn on. Helm would
// install it once and never again, so it is a step of its own: once per
// cluster, before the releases that need it, and not part of any of them.
type crdSet struct {
	chart.CRDFolder
	// users are the releases that turn the chart on.
	users []fleet.Key
	// rows say whose the CRDs are, in the order of the objects.
	rows []Ownership
	// applied are the marks found on those that are ours.
	applied []map[string]string
}

// id names the set in step IDs.
func (c crdSet) id() string { return "crds " + c.Chart }

// foundUnder is under which Find are asked for. No release has it.
func (c crdSet) foundUnder() fleet.Key { return fleet.Key{Name: c.id()} }

// crdSets collects the folders of all releases, each once.
func crdSets(targets []Target) ([]crdSet, error) {
	sets := map[string]crdSet{}
	for _, target := range targets {
		folders, err := target.folders()
		if err != nil {
			return nil, err
		}
		for _, folder := range folders {
			set, known := sets[folder.Chart]
			if known && set.Digest != folder.Digest {
				return nil, fmt.Errorf("%s: release %s brings other CRDs of chart %s than release %s, but a cluster has one of each", target.Origin, target.Key, folder.Chart, set.users[0])
			}
			if !known {
				set.CRDFolder = folder
			}
			set.users = append(set.users, target.Key)
			sets[folder.Chart] = set
		}
	}
	return slices.SortedFunc(maps.Values(sets), func(a, b crdSet) int { return strings.Compare(a.Chart, b.Chart) }), nil
}

func (t Target) folders() ([]chart.CRDFolder, error) {
	if t.Source == nil {
		return nil, nil
	}
	folders, err := t.Source.CRDFolders(t.Overrides.PlainMap())
	if err != nil {
		return nil, fmt.Errorf("%s: release %s: %w", t.Origin, t.Key, err)
	}
	return folders, nil
}

// observe takes in what the cluster has of the set. What somebody else provides
// exactly so stays theirs and is left out.
func (c *crdSet) observe(ctx context.Context, cluster Definitions, seen []Found) error {
	var objects []chart.Object
	for i, s := range seen {
		row, object := ownershipOfCRD(c.users[0], s), c.Objects[i]
		if row.Standing == Foreign {
			reports, err := ReviewDefinitions(ctx, cluster, []chart.Object{object}, nil)
			if err != nil {
				return err
			}
			if len(reports) == 1 && len(reports[0].Changes) == 0 {
				continue
			}
		}
		var applied map[string]string
		if s.Live != nil && row.Standing == Ours {
			applied = s.Live.Annotations
		}
		objects, c.rows, c.applied = append(objects, object), append(c.rows, row), append(c.applied, applied)
	}
	c.Objects = objects
	return nil
}

// ownershipOfCRD says whose a CRD is that no release has.
func ownershipOfCRD(user fleet.Key, s Found) Ownership {
	row := ownershipOfObject(user, false, s)
	if row.Standing == Foreign && row.Owner == marks.ManagedByUs {
		return Ownership{Release: user, Kind: s.Kind, Name: s.Name, Standing: Ours, Look: row.Look}
	}
	if row.Standing == Foreign {
		row.Fix = "where the cluster has that program already, turn the dependency off"
	}
	return row
}

// decide compares the set with what the cluster has of it.
func (c crdSet) decide() (Action, string) {
	absent, adoptable, changed := 0, 0, 0
	was := ""
	for i, row := range c.rows {
		switch {
		case row.Standing == Absent:
			absent++
		case row.Standing == Adoptable:
			adoptable++
		case c.applied[i][marks.CRDDigest] != c.Digest:
			changed++
			was = c.applied[i][marks.CRDChartVersion]
		}
	}
	switch {
	case adoptable > 0:
		return ActionAdopt, fmt.Sprintf("%d of %d exist, made by another program", adoptable, len(c.rows))
	case absent == len(c.rows):
		return ActionCreate, fmt.Sprintf("%s %s needs them", c.Chart, c.Version)
	case changed > 0 && was != c.Version:
		return ActionUpgrade, fmt.Sprintf("from version %s to %s", was, c.Version)
	case changed > 0:
		return ActionUpgrade, "the chart's CRDs changed"
	case absent > 0:
		return ActionRepair, fmt.Sprintf("%d of %d are missing", absent, len(c.rows))
	default:
		return ActionUnchanged, ""
	}
}

// marked says on a CRD where it comes from.
func (c crdSet) marked(object chart.Object) (chart.Object, error) {
	var content map[string]any
	if err := object.Read(&content); err != nil {
		return object, fmt.Errorf("%s of chart %s: %w", object, c.Chart, err)
	}
	object.Labels = with(object.Labels, map[string]string{marks.ManagedBy: marks.ManagedByUs})
	object.Annotations = with(object.Annotations, map[string]string{marks.CRDChart: c.Chart, marks.CRDChartVersion: c.Version, marks.CRDDigest: c.Digest})
	metadata, ok := content["metadata"].(map[string]any)
	if !ok {
		return object, fmt.Errorf("%s of chart %s has no metadata", object, c.Chart)
	}
	metadata["labels"], metadata["annotations"] = object.Labels, object.Annotations
	data, err := yaml.Marshal(content)
	object.Content = string(data)
	return object, err
}

func with(some, more map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, some)
	maps.Copy(out, more)
	return out
}

// missingFor says what a release lacks of the CRDs that it turns on; empty if
// nothing.
func (s *Snapshot) missingFor(key fleet.Key) string {
	for _, set := range s.crds {
		if action, reason := set.decide(); slices.Contains(set.users, key) && len(set.Objects) > 0 && action != ActionUnchanged {
			return set.id() + ": " + reason
		}
	}
	return ""
}

// appliedCRDs lists the CRDs in the cluster that were applied for some charts
// ("NAME VERSION").
func appliedCRDs(ctx context.Context, charts []string, cluster Remains) ([]string, error) {
	marked, err := cluster.MarkedCRDs(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, chart := range charts {
		name, _, _ := strings.Cut(chart, " ")
		out = append(out, marked[name]...)
	}
	slices.Sort(out)
	return out, nil
}

// crdCharts are the dependencies whose CRDs the cluster has after some steps:
// nothing but a destroy takes them away.
func crdCharts(before []string, steps []Step) []string {
	charts := map[string]string{}
	add := func(chart string) {
		name, _, _ := strings.Cut(chart, " ")
		charts[name] = chart
	}
	for _, chart := range before {
		add(chart)
	}
	for _, step := range steps {
		if step.Kind == StepCRDs && step.Action == ActionDelete {
			clear(charts)
		}
		if step.Chart != "" {
			add(step.Chart)
		}
	}
	return slices.Sorted(maps.Values(charts))
}

// crdsStay says what a return to a revision does not touch; empty if the CRDs of
// dependencies are the same.
func crdsStay(now, then Revision) string {
	if slices.Equal(now.CRDs, then.CRDs) {
		return ""
	}
	return fmt.Sprintf("CRDs of dependencies stay as they are (now %s; revision %d had %s)", orNone(now.CRDs), then.Number, orNone(then.CRDs))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

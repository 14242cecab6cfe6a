package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Standing says whose an object is, from the point of view of the release that
// wants it.
type Standing string

// An adoptable object is taken over with consent, a foreign one never.
const (
	Absent    Standing = "absent"
	Ours      Standing = "ours"
	Adoptable Standing = "adoptable"
	Foreign   Standing = "foreign"
)

// KindRelease is the kind of a row that is about a release as a whole.
const KindRelease = "Release"

// Ownership is one row of the ownership table: an object that a release wants,
// or the release itself, and whose it is.
type Ownership struct {
	Release   fleet.Key `json:"release"`
	Kind      string    `json:"kind"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	Standing  Standing  `json:"standing"`
	// Owner is the release, the object or the program that has it.
	Owner string `json:"owner,omitempty"`
	// Reason says how that is known, or what is wrong with an object of ours.
	Reason string `json:"reason,omitempty"`
	// Look is a command that shows the owner.
	Look string `json:"look,omitempty"`
	// Fix says what to do about a foreign object, where there is more to say
	// than that it is in the way.
	Fix string `json:"fix,omitempty"`
}

// Object writes the row's object as it is written everywhere else.
func (o Ownership) Object() string {
	return chart.Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}.String()
}

// Found is what the cluster has of an object that a release wants.
type Found struct {
	Kind, Namespace, Name string
	// Resource is what kubectl calls the kind: deployments.apps.
	Resource string
	// Live is nil where there is no such object.
	Live *Metadata
}

// Metadata is what tells whose an object is.
type Metadata struct {
	Labels, Annotations map[string]string
	// Controller is the object that owns this one, as Kind/name; empty if none.
	Controller string
	// Managers are the programs that wrote the object, without its status.
	Managers []string
	// Deleting says that the object is on its way out.
	Deleting bool
}

// ownershipOf classifies everything that a release wants, and the release itself.
func ownershipOf(target Target, records map[fleet.Key]Record, seen []Found) []Ownership {
	record, recorded := records[target.Key]
	recorded = recorded && record.Status != HelmUninstalled
	var rows []Ownership
	if recorded {
		rows = append(rows, ownershipOfRelease(target, record))
	}
	for _, s := range seen {
		rows = append(rows, ownershipOfObject(target.Key, recorded, s))
	}
	return rows
}

func ownershipOfRelease(target Target, record Record) Ownership {
	row := Ownership{
		Release: target.Key, Kind: KindRelease, Namespace: target.Namespace, Name: target.Name, Standing: Ours,
		Look: fmt.Sprintf("helm -n %s history %s", target.Namespace, target.Name),
	}
	switch {
	case !record.Ours:
		row.Standing, row.Owner = Adoptable, "Helm"
		row.Reason = fmt.Sprintf("installed by another program, revision %d is %s", record.Revision, record.Status)
	case record.Fleet != target.FleetName:
		row.Standing, row.Owner, row.Reason = Adoptable, "fleet "+record.Fleet, "another fleet wrote it last"
	}
	return row
}

// ownershipOfObject tells whose an object is by what is written on it, strongest
// first: a program that keeps it in a state of its own, a controller, a
// release, another manager's label, the programs that wrote its fields.
func ownershipOfObject(key fleet.Key, recorded bool, s Found) Ownership {
	row := Ownership{Release: key, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name, Standing: Absent}
	if s.Live == nil {
		return row
	}
	if s.Live.Deleting {
		row.Reason = "is being deleted"
		return row
	}
	row.Look = s.look()
	if mark, found := reconciler(s.Live); found {
		return row.foreign(mark.owner, mark.reason, mark.look)
	}
	owner := marks.ReleaseIn(s.Live.Annotations)
	label := s.Live.Labels[marks.ManagedBy]
	switch {
	case s.Live.Controller != "":
		return row.foreign(s.Live.Controller, "it owns the object", "")
	case owner == key:
		return row.marked(recorded, s)
	case owner.Name != "":
		row = row.foreign("release "+owner.String(), "by its annotations", fmt.Sprintf("helm -n %s status %s", owner.Namespace, owner.Name))
		if s.Kind == kindCRD && owner.Name == key.Name {
			row.Fix = "set spec.crds.install to false to use the CRDs as they are there, or spec.crds.namespace to " + owner.Namespace + " to adopt that release"
		}
		return row
	case label != "" && label != marks.ManagedByHelm:
		return row.foreign(label, "by its label "+marks.ManagedBy, "")
	default:
		return row.unmarked(recorded, s.Live)
	}
}

// marked is about an object that carries the marks of the release that wants it.
func (o Ownership) marked(recorded bool, s Found) Ownership {
	o.Standing = Ours
	switch {
	case recorded:
		if s.Live.Labels[marks.ManagedBy] != marks.ManagedByHelm {
			o.Reason = "lost its label " + marks.ManagedBy
		}
	case s.Live.Annotations[marks.Policy] == marks.PolicyKeep:
		// An earlier uninstall left it, as its policy says.
	default:
		o.Standing, o.Owner, o.Reason = Adoptable, "release "+o.Release.String(), "the release has no record any more"
	}
	return o
}

// unmarked is about an object without an owner: who wrote it decides.
func (o Ownership) unmarked(recorded bool, live *Metadata) Ownership {
	byHelm, byKubectl := slices.Contains(live.Managers, marks.FieldManager), slices.ContainsFunc(live.Managers, marks.ByHand)
	switch {
	case byHelm && recorded:
		o.Standing, o.Reason = Ours, "lost the annotations of its release"
	case byHelm:
		o.Standing, o.Owner, o.Reason = Adoptable, "Helm", "Helm wrote it, no release has it"
	case len(live.Managers) == 0:
		o.Standing, o.Owner, o.Reason = Adoptable, "nobody known", "nothing says who made it"
	case byKubectl:
		o.Standing, o.Owner, o.Reason = Adoptable, "kubectl", "made by hand, nothing owns it"
	default:
		return o.foreign(strings.Join(live.Managers, ", "), "wrote the object", "")
	}
	return o
}

func (o Ownership) foreign(owner, reason, look string) Ownership {
	o.Standing, o.Owner, o.Reason = Foreign, owner, reason
	if look != "" {
		o.Look = look
	}
	return o
}

func (s Found) look() string {
	if s.Namespace == "" {
		return fmt.Sprintf("kubectl get %s %s -o yaml --show-managed-fields", s.Resource, s.Name)
	}
	return fmt.Sprintf("kubectl -n %s get %s %s -o yaml --show-managed-fields", s.Namespace, s.Resource, s.Name)
}

// damaged says what a release lacks, compared with what it wrote; empty if
// nothing.
func damaged(rows []Ownership) string {
	var bad []Ownership
	for _, row := range rows {
		if row.Kind != KindRelease && (row.Standing == Absent || row.Standing == Adoptable || row.Standing == Ours && row.Reason != "") {
			bad = append(bad, row)
		}
	}
	if len(bad) == 0 {
		return ""
	}
	what := "is missing"
	if bad[0].Reason != "" {
		what = bad[0].Reason
	}
	if len(bad) == 1 {
		return bad[0].Object() + " " + what
	}
	return fmt.Sprintf("%s %s, and %d more objects are damaged or missing", bad[0].Object(), what, len(bad)-1)
}

// Adoptions are the rows that need consent.
func (p *Plan) Adoptions() []Ownership { return p.standing(Adoptable) }

// Foreign are the rows that forbid the plan.
func (p *Plan) Foreign() []Ownership { return p.standing(Foreign) }

func (p *Plan) standing(wanted Standing) []Ownership {
	return slices.DeleteFunc(slices.Clone(p.Ownership), func(o Ownership) bool { return o.Standing != wanted })
}

package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Relocation is the work of a storage step: a definition whose objects leave
// versions that are about to end.
type Relocation struct {
	// CRD is the name of the definition.
	CRD string
	crdsafety.Move
	// Fields says what becomes of fields of the definition that others own.
	Fields Fields
}

// storageKind has all objects of a definition written once more.
type storageKind struct{ unseen }

func (storageKind) needs(s *Step, _ bool) []Need {
	plural, group, _ := strings.Cut(s.move.CRD, ".")
	return []Need{
		{Verbs: []string{"get", "patch"}, Group: crdGroup, Resource: crdResource, For: s.ID},
		{Verbs: []string{"patch"}, Group: crdGroup, Resource: crdResource + "/status", For: s.ID},
		{Verbs: []string{"list", "patch"}, Group: group, Resource: plural, For: s.ID},
	}
}

func (storageKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error) {
	note, err := e.cluster.MoveStorage(ctx, *s.move, progress)
	return done{note: note}, err
}

// Moves names the definitions whose objects are written once more, which needs
// consent.
func (p *Plan) Moves() (out []string) {
	for _, step := range p.Steps {
		if step.Kind == StepStorage {
			out = append(out, step.move.CRD)
		}
	}
	return out
}

// Unmoved are those of Moves that are not among the agreed ones, and how many
// objects they have.
func (p *Plan) Unmoved(agreed []string) (crds []string, objects int) {
	for _, step := range p.Steps {
		if step.Kind == StepStorage && !slices.Contains(agreed, step.move.CRD) {
			crds, objects = append(crds, step.move.CRD), objects+step.move.Objects
		}
	}
	return crds, objects
}

// addMoves puts a step before the fleet's CRDs for each definition that cannot end
// a version before its objects have left it.
func (p *Plan) addMoves(fields Fields) {
	for i := 0; i < len(p.Steps); i++ {
		release := &p.Steps[i]
		if release.Kind != StepRelease || release.Left != "" {
			continue
		}
		var moves []Step
		for _, r := range release.Definitions {
			if r.Move == nil {
				continue
			}
			step := moveStep(r, fields)
			step.Needs = slices.Clone(release.Needs)
			moves = append(moves, step)
			release.Changes = possible(release.Changes, r.Name)
		}
		for _, step := range moves {
			release.Needs = append(release.Needs, step.ID)
		}
		p.Steps = slices.Insert(p.Steps, i, moves...)
		i += len(moves)
	}
}

func moveStep(r *crdsafety.Report, fields Fields) Step {
	from := strings.Join(r.Move.From, ", ")
	ends := "ends"
	if len(r.Move.From) > 1 {
		ends = "end"
	}
	return Step{
		ID: "storage " + r.Name, Kind: StepStorage, Action: ActionRewrite, Names: []string{r.Name},
		Reason: fmt.Sprintf("objects may be stored in %s, which %s: %d to write once more, so that all are stored in %s", from, ends, r.Move.Objects, r.Move.To),
		move:   &Relocation{CRD: r.Name, Move: *r.Move, Fields: fields},
	}
}

// possible are changes of which one is refused only because of where objects are
// stored now.
func possible(changes []Change, crd string) []Change {
	out := slices.Clone(changes)
	for i := range out {
		if c := &out[i]; c.Kind == kindCRD && c.Name == crd && c.Stored {
			c.Action, c.Reason = ChangeUpdate, ""
		}
	}
	return out
}

// reviewing is how a definition is held against its objects.
type reviewing func(ctx context.Context, old, wanted *crdsafety.Definition, objects crdsafety.Objects) (*crdsafety.Report, error)

// reviewing is that of the target's definitions: only objects of the fleet's own
// CRDs are ours to write.
func (t Target) reviewing() reviewing {
	if t.Chart == fleet.ChartCRDs {
		return crdsafety.ReviewMoved
	}
	return crdsafety.Review
}

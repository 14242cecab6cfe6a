package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// crdsKind applies the CRDs of a dependency, or deletes CRDs.
type crdsKind struct{}

func (crdsKind) needs(s *Step, wait bool) []Need {
	if s.Action == ActionDelete {
		return []Need{{Verbs: goneVerbs, Group: crdGroup, Resource: crdResource, For: "the CRDs"}}
	}
	return objectNeeds(s.ID, s.Key, s.target.Rendered.Objects, wait)
}

func (crdsKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error) {
	switch s.Action {
	case ActionUnchanged:
		return done{}, nil
	case ActionDelete:
		return done{}, e.cluster.DeleteCRDs(ctx, s.Names, e.Patience, progress)
	default:
		return done{}, e.cluster.ApplyCRDs(ctx, s.target.Rendered.Objects, s.fields)
	}
}

// preview fills in what a step on the CRDs of a chart changes. Consent to
// adopt them is consent to take over all of their fields.
func (crdsKind) preview(ctx context.Context, step *Step, p *previewing) error {
	if slices.ContainsFunc(step.Names, func(crd string) bool { return p.blocked[crd] }) {
		return nil
	}
	step.fields = p.options.Fields
	step.fields.Force = step.fields.Force || step.Action == ActionAdopt
	wanted := step.target.Rendered.Objects
	changes, err := p.cluster.Compare(ctx, Comparison{Wanted: wanted, Unreleased: true, Absent: p.missing, Fields: step.fields, Text: p.options.Text})
	if err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	step.Changes = changes
	if step.Definitions, err = definitions(ctx, p.cluster, changes, wanted, nil, crdsafety.Review); err != nil {
		return fmt.Errorf("%s: %w", step.ID, err)
	}
	if step.newer != "" {
		step.Downgrade = goesBack("version "+step.newer+" of the CRDs is installed and the chart's is older", step.Definitions)
	}
	if len(changes) > 0 && step.Action == ActionUnchanged {
		step.Action, step.Reason = ActionRepair, changedByOthers(changes)
	}
	return nil
}

// steps are the step that applies the set and its gate; none if all of it is
// somebody else's.
func (c crdSet) steps() ([]Step, error) {
	if len(c.Objects) == 0 {
		return nil, nil
	}
	action, reason := c.decide()
	step := Step{ID: c.id(), Kind: StepCRDs, Action: action, Reason: reason, Names: crdNames(c.Objects), Chart: c.Chart + " " + c.Version}
	step.target = Target{Rendered: &chart.Rendered{}}
	for _, object := range c.Objects {
		marked, err := c.marked(object)
		if err != nil {
			return nil, err
		}
		step.target.Rendered.Objects = append(step.target.Rendered.Objects, marked)
	}
	for _, found := range c.applied {
		if found[marks.CRDChart] == c.Chart && older(c.Version, found[marks.CRDChartVersion]) {
			step.newer = found[marks.CRDChartVersion]
		}
	}
	return []Step{step, gateOn("gate "+c.id(), step.target, step.ID)}, nil
}

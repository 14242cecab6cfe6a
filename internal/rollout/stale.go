package rollout

import (
	"context"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Facts reads what the rules want to know of the cluster.
type Facts interface {
	Facts(ctx context.Context, wanted check.Wanted) (*check.Cluster, error)
}

// Stale reports whether a release has changed since the plan was made, or an
// operator of somebody else has come or gone.
func Stale(ctx context.Context, plan *Plan, releases Inventory, cluster Facts) (bool, error) {
	records, err := releases.Inventory(ctx)
	if err != nil {
		return false, err
	}
	for _, step := range plan.Steps {
		if step.Kind != StepRelease {
			continue
		}
		if now := records[step.Key]; now.Revision != step.last.Revision || now.Status != step.last.Status {
			return true, nil
		}
	}
	if plan.judged == nil {
		return false, nil
	}
	facts, err := cluster.Facts(ctx, plan.judged.wanted)
	if err != nil {
		return false, err
	}
	return !slices.Equal(plan.judged.operators, operatorsBeside(plan.judged.set, facts)), nil
}

// judged is what the rules were told of the operators in the cluster.
type judged struct {
	set    *fleet.Set
	wanted check.Wanted
	// operators are those of others.
	operators []check.Operator
}

func judgedBy(set *fleet.Set, facts *check.Cluster) *judged {
	wanted := check.Wanted{Facts: map[check.Fact]bool{check.FactOperators: true}, Namespaces: namespacesOf(set)}
	return &judged{set: set, wanted: wanted, operators: operatorsBeside(set, facts)}
}

func operatorsBeside(set *fleet.Set, facts *check.Cluster) []check.Operator {
	if others := facts.Foreign(set); others != nil {
		return others.Operators
	}
	return nil
}

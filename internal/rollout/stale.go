package rollout

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

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
	var records map[fleet.Key]Record
	var facts *check.Cluster
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		records, err = releases.Inventory(gctx)
		return err
	})
	if plan.judged != nil {
		group.Go(func() (err error) {
			facts, err = cluster.Facts(gctx, plan.judged.wanted)
			return err
		})
	}
	if err := group.Wait(); err != nil {
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
	return facts != nil && !slices.Equal(plan.judged.operators, operatorsBeside(plan.judged.set, facts)), nil
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

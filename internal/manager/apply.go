package manager

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Plan looks at the cluster, decides, makes sure that the user may do it, and
// asks the server what each step would change. Nothing is written. A plan that
// comes with an error has findings to show.
func (m *Manager) Plan(ctx context.Context, options rollout.PreviewOptions) (*rollout.Plan, error) {
	m.store.Fields = options.Fields
	namespaces, err := m.Select(options.Namespaces)
	if err != nil {
		return nil, err
	}
	snapshot, err := rollout.Observe(ctx, m.desired, m.store, m.cluster, options.Drift)
	if apierrors.IsForbidden(err) {
		if denied := rollout.PermitAll(ctx, m.desired, m.cluster); denied != nil {
			err = denied
		}
	}
	if err != nil {
		return nil, err
	}
	snapshot.KeepGoing = options.KeepGoing
	plan, err := rollout.NewPlan(m.desired, snapshot)
	if err != nil {
		return nil, err
	}
	if err := plan.Until(options.Wave, m.Set.Waves); err != nil {
		return nil, err
	}
	plan.Only(namespaces)
	if err := plan.Permit(ctx, m.Identity, m.cluster, !options.NoWait); err != nil {
		return plan, err
	}
	if err := rollout.Preview(ctx, plan, m.store, m.cluster, options); err != nil {
		return nil, err
	}
	// Only the dry run knows what is deleted and what is new.
	switch {
	case options.Undo:
		err = plan.PermitUndo(ctx, m.Identity, m.cluster, !options.NoWait)
	case plan.Deletions() > 0 || len(plan.Replaced()) > 0 || len(plan.Moves()) > 0:
		err = plan.Permit(ctx, m.Identity, m.cluster, !options.NoWait)
	}
	if err != nil {
		return nil, err
	}
	return plan, m.trace(ctx, plan)
}

// Apply carries out what Plan has planned with the same options, and takes back
// what it did if a step fails and the options say so. Agree is asked about the
// plan that is made if the cluster changes before the lock is held. A result
// comes with whatever error there is.
func (m *Manager) Apply(ctx context.Context, plan *rollout.Plan, options rollout.PreviewOptions, agree func(*rollout.Plan) error, execution rollout.Options) (*rollout.Result, error) {
	execution.NoWait = options.NoWait
	return m.carryOut(ctx, operation{
		plan: plan, description: "apply", options: execution, undo: options.Undo, goesOn: true,
		replan: func(ctx context.Context) (*rollout.Plan, error) {
			plan, err := m.Plan(ctx, options)
			if err != nil {
				return nil, err
			}
			return plan, agree(plan)
		},
	})
}

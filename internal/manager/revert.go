package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// PlanRollback plans the way back to a revision of the set, 0 for the last that
// succeeded before the newest. Nothing is written.
func (m *Manager) PlanRollback(ctx context.Context, to int, options rollout.RollbackOptions) (*rollout.RollbackPlan, error) {
	back, err := m.planRollback(ctx, to, options)
	if apierrors.IsForbidden(err) {
		err = cmp.Or(rollout.PermitRollback(ctx, m.Identity, m.desired, m.cluster), err)
	}
	return back, err
}

func (m *Manager) planRollback(ctx context.Context, to int, options rollout.RollbackOptions) (*rollout.RollbackPlan, error) {
	revisions, err := m.History(ctx)
	if err != nil {
		return nil, err
	}
	records, err := m.store.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	back, err := rollout.PlanRollback(m.Set.Name, to, revisions, records)
	if err != nil {
		return nil, err
	}
	if err := back.Read(ctx, m.store, options); err != nil {
		return nil, err
	}
	if err := back.Plan.Permit(ctx, m.Identity, m.cluster, !options.NoWait); err != nil {
		return nil, err
	}
	if err := rollout.PreviewRollback(ctx, back, m.cluster, m.store.Fields); err != nil {
		return nil, err
	}
	back.AddGates(m.Set)
	return back, nil
}

// Rollback carries out what PlanRollback has planned.
func (m *Manager) Rollback(ctx context.Context, back *rollout.RollbackPlan, execution rollout.Options) (*rollout.Result, error) {
	return m.carryOut(ctx, operation{
		plan: back.Plan, description: fmt.Sprintf("rollback to %d", back.To.Number), options: execution, replan: lookAgain,
	})
}

// StillAsked tells at which revision the set is, and what the fleet file wants
// otherwise; nothing of a file that cannot be read.
func (m *Manager) StillAsked(ctx context.Context) (revision int, asked []rollout.Ask, err error) {
	revisions, err := m.History(ctx)
	if err != nil {
		return 0, nil, err
	}
	if n := len(revisions); n > 0 {
		revision = revisions[n-1].Number
	}
	if m.desired == nil {
		return revision, nil, nil
	}
	records, err := m.store.Inventory(ctx)
	if err != nil {
		return revision, nil, err
	}
	asked, err = m.desired.StillAsked(ctx, m.store, records)
	return revision, asked, err
}

// PlanDestroy finds what the fleet has installed and plans its removal. Nothing
// is written. What it found comes with an error that is about it.
func (m *Manager) PlanDestroy(ctx context.Context, options rollout.DestroyOptions) (*rollout.DestroyPlan, error) {
	destroy, err := m.planDestroy(ctx, options)
	if apierrors.IsForbidden(err) {
		err = cmp.Or(rollout.PermitDestroy(ctx, m.Identity, m.desired, m.cluster, options), err)
	}
	if err == nil {
		err = destroy.Plan.Permit(ctx, m.Identity, m.cluster, false)
	}
	return destroy, err
}

func (m *Manager) planDestroy(ctx context.Context, options rollout.DestroyOptions) (*rollout.DestroyPlan, error) {
	revisions, err := m.History(ctx)
	if err != nil {
		return nil, err
	}
	var applied []string
	for _, r := range slices.Backward(revisions) {
		if r.Damage == "" {
			applied = r.CRDs
			break
		}
	}
	if options.Namespaces, err = m.Select(options.Namespaces); err != nil {
		return nil, err
	}
	return rollout.PlanDestroy(ctx, m.Identity, applied, m.store, m.cluster, options)
}

// Destroy carries out what PlanDestroy has planned.
func (m *Manager) Destroy(ctx context.Context, destroy *rollout.DestroyPlan, execution rollout.Options) (*rollout.Result, error) {
	return m.carryOut(ctx, operation{
		plan: destroy.Plan, description: "destroy", options: execution, replan: lookAgain,
		purges: destroy.Options.PurgeNamespaces && destroy.Options.PurgeCRDs && destroy.Options.PurgeData,
	})
}

// lookAgain is for plans that a person has looked at and that no longer hold.
func lookAgain(context.Context) (*rollout.Plan, error) {
	return nil, errors.New("nothing was done: the fleet has changed meanwhile; look at it again")
}

package rollout

import (
	"context"
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Prune adds the removal of the plan's orphans, with all that it deletes. Graphs
// that an orphan's operator may serve must be gone first: without it nobody
// looks after them.
func (p *Plan) Prune(ctx context.Context, releases Records, cluster Previewer) error {
	for _, orphan := range p.Orphans {
		graphs, err := cluster.Graphs(ctx, []string{orphan.Namespace})
		if err != nil {
			return err
		}
		if len(graphs) > 0 {
			return fmt.Errorf("release %s is not removed: %d graphs are in its namespace (%s), and only its operator can finish them; delete them first with `kubectl -n %s delete dynamographdeployments --all`",
				orphan.Key, len(graphs), graphs[0].Name, orphan.Namespace)
		}
		step, err := pruneStep(ctx, orphan, releases, cluster)
		if err != nil {
			return err
		}
		if converts(orphan.Key) {
			step.Needs = p.gatesOfCRDs()
		}
		p.Steps = append(p.Steps, step)
	}
	p.Orphans = nil
	return nil
}

// gatesOfCRDs are the gates of the CRDs' release.
func (p *Plan) gatesOfCRDs() (out []string) {
	for _, step := range p.Steps {
		if step.Kind == StepGate && step.target.Chart == fleet.ChartCRDs {
			out = append(out, step.ID)
		}
	}
	return out
}

func pruneStep(ctx context.Context, orphan Record, releases Records, cluster Previewer) (Step, error) {
	step := Step{
		ID: releaseID(orphan.Key), Kind: StepRelease, Action: ActionUninstall, Key: orphan.Key, last: orphan,
		Reason: "the fleet file no longer names it",
	}
	stored, err := releases.Stored(ctx, orphan.Key, 0)
	if step.refuses(err) {
		return step, nil
	}
	if err != nil {
		return step, err
	}
	step.gone, _ = without(stored.objects(), nil)
	if step.Changes, err = cluster.Compare(ctx, Comparison{Release: orphan.Key, Gone: step.gone, Reach: stored.reach(nil)}); err != nil {
		return step, fmt.Errorf("release %s: %w", orphan.Key, err)
	}
	return step, nil
}

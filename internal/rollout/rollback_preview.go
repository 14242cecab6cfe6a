package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Read fills in, from what Helm recorded of the revisions, which objects come
// back and which go. It fails if a revision is no longer kept.
func (r *RollbackPlan) Read(ctx context.Context, releases Records, options RollbackOptions) error {
	r.Plan.AcceptBreakage = options.AcceptBreakage
	if i := r.crds(); i >= 0 && options.KeepCRDs {
		r.keepCRDs(i, "")
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	gone := make([]string, len(r.Plan.Steps))
	for i := range r.Plan.Steps {
		step := &r.Plan.Steps[i]
		if step.Kind != StepRelease || !step.Action.Changes() {
			continue
		}
		group.Go(func() (err error) {
			gone[i], err = readRollback(gctx, step, releases)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if gone = slices.DeleteFunc(gone, func(reason string) bool { return reason == "" }); len(gone) > 0 {
		return fmt.Errorf("nothing was written: %s; apply the fleet file of that time instead", strings.Join(gone, ", "))
	}
	return nil
}

// readRollback fills in the objects of one step. It returns a reason if its
// revision is no longer kept.
func readRollback(ctx context.Context, step *Step, releases Records) (gone string, err error) {
	var altered *AlteredError
	now, err := releases.Stored(ctx, step.Key, 0)
	if errors.As(err, &altered) {
		return altered.Error(), nil
	}
	if err != nil {
		return "", err
	}
	step.reach = now.reach(nil)
	var wanted []chart.Object
	if step.Action == ActionRollback {
		then, err := releases.Stored(ctx, step.Key, step.Revision)
		if errors.As(err, &altered) {
			return altered.Error(), nil
		}
		if err != nil {
			return "", err
		}
		if reason := unreturnable(step, then); reason != "" {
			return reason, nil
		}
		wanted = then.Objects
		step.reach = now.reach(wanted)
		step.Upgrades = slices.DeleteFunc(between(step.Key, now, then.Chart, then.Version, then.Parts), check.Upgrade.Stays)
		if step.manifest != "" {
			step.manifest = then.Again
		}
	}
	step.target = Target{Release: fleet.Release{Key: step.Key}, Rendered: &chart.Rendered{Objects: wanted}}
	step.gone, step.kept = without(now.objects(), wanted)
	step.Changes = forgotten(now, wanted)
	return "", nil
}

// unreturnable says why a release cannot go back to a revision as Helm has it;
// empty if it can.
func unreturnable(step *Step, then *Stored) string {
	if then == nil {
		return fmt.Sprintf("Helm no longer keeps revision %d of release %s", step.Revision, step.Key)
	}
	if step.manifest != "" && step.manifest != then.Manifest {
		return fmt.Sprintf("revision %d of release %s is another one by now: the release was installed anew", step.Revision, step.Key)
	}
	if len(then.Vanished) > 0 {
		return fmt.Sprintf("revision %d of release %s needs kinds that the cluster does not serve any more: %s",
			step.Revision, step.Key, strings.Join(shortened(vanishedNames(then.Vanished)), ", "))
	}
	if len(then.Beyond) > 0 {
		return fmt.Sprintf("revision %d of release %s was not written by wheelhouse, and it holds what such a record may not restore: %s",
			step.Revision, step.Key, strings.Join(shortened(then.Beyond), ", "))
	}
	return ""
}

func vanishedNames(objects []chart.Object) (out []string) {
	for _, o := range objects {
		out = append(out, o.APIVersion+" "+o.String())
	}
	return out
}

// RollbackPreviewer tells what going back changes, and whose the names are by now.
type RollbackPreviewer interface {
	Comparer
	// Find looks at the metadata of objects, as for an Observer.
	Find(ctx context.Context, wanted map[fleet.Key][]chart.Object, absentNamespaces map[string]bool, before *Marked) (map[fleet.Key][]Found, error)
}

// PreviewRollback fills in what going back changes, by server-side dry run. CRDs
// go back last if they know less than those of now, else first. What Blocked
// says forbids the rollback. Nothing is written.
func PreviewRollback(ctx context.Context, r *RollbackPlan, cluster RollbackPreviewer, fields Fields) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i := range r.Plan.Steps {
		if step := &r.Plan.Steps[i]; step.Kind == StepRelease && step.Action.Changes() {
			group.Go(func() error { return previewRollback(gctx, step, cluster, fields) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, step := range r.Plan.Steps {
		r.lost(step)
	}
	r.order()
	return r.ownership(ctx, cluster)
}

// Ways are the versions that releases go back from and to. None of them refuses the
// rollback: it may be the lesser evil, and who asks for it is told.
func (r *RollbackPlan) Ways() *Ways { return &Ways{Ways: waysOf(r.Plan.upgrades())} }

const adviceOnRollback = "To return to the charts and values only, leave the CRDs as they are with --keep-crds."

// Blocked says why the rollback is refused as a whole; nil if it is not.
func (r *RollbackPlan) Blocked() error {
	err := r.Plan.Blocked()
	harmful := slices.ContainsFunc(r.Plan.Steps, func(s Step) bool { return s.crds && len(s.harmLines(r.Plan.AcceptBreakage)) > 0 })
	if err != nil && harmful {
		return fmt.Errorf("%w\n%s", err, adviceOnRollback)
	}
	return err
}

// previewRollback asks the server what one step changes.
func previewRollback(ctx context.Context, step *Step, cluster Comparer, fields Fields) (err error) {
	wanted := step.target.Rendered.Objects
	changes, err := cluster.Compare(ctx, Comparison{Release: step.Key, Wanted: wanted, Gone: step.gone, Reach: step.reach, Fields: fields})
	if err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	step.Changes = append(step.Changes, changes...)
	step.Definitions, err = definitions(ctx, cluster, step.Changes, wanted, step.gone, crdsafety.Review)
	if err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	return nil
}

// lost notes what a step leaves behind because of a keep policy.
func (r *RollbackPlan) lost(step Step) {
	if len(step.kept) == 0 || !step.Action.Changes() {
		return
	}
	names := make([]string, 0, len(step.kept))
	for _, o := range step.kept {
		names = append(names, o.String())
	}
	r.Lost = append(r.Lost, fmt.Sprintf("release %s: what carries a keep policy stays (%s)", step.Key, strings.Join(shortened(names), ", ")))
}

// ownership notes what others have made meanwhile under the names of objects
// that come back. A rollback takes nothing over.
func (r *RollbackPlan) ownership(ctx context.Context, cluster RollbackPreviewer) error {
	wanted := map[fleet.Key][]chart.Object{}
	for _, step := range r.Plan.Steps {
		if step.Action == ActionRollback {
			wanted[step.Key] = step.target.Rendered.Objects
		}
	}
	seen, err := cluster.Find(ctx, wanted, nil, nil)
	if err != nil {
		return err
	}
	for _, step := range r.Plan.Steps {
		for _, s := range seen[step.Key] {
			row := ownershipOfObject(step.Key, true, s)
			if row.Standing == Adoptable {
				row.Standing = Foreign
			}
			if row.Standing == Foreign {
				r.Plan.Ownership = append(r.Plan.Ownership, row)
			}
		}
	}
	return nil
}

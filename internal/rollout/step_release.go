package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// releaseKind installs, changes, returns or removes a release.
type releaseKind struct{}

func (releaseKind) needs(s *Step, wait bool) []Need {
	reason, records := "release "+s.Key.String(), recordVerbs
	if s.Action == ActionUninstall {
		records = forgetVerbs
	}
	out := []Need{{Verbs: records, Resource: "secrets", Namespace: s.Key.Namespace, For: reason}}
	if s.target.Rendered != nil {
		out = append(out, objectNeeds(reason, s.Key, s.target.Rendered.Objects, wait)...)
		out = append(out, replaceNeeds(reason, s)...)
	}
	return append(out, goneNeeds(reason, s.Key, s.gone)...)
}

// do finishes what it has begun: half of a Helm operation must not be left behind.
func (releaseKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (out done, err error) {
	ctx = WithWaiting(context.WithoutCancel(ctx), Waiting{Patience: e.Patience, Report: progress})
	switch s.Action {
	case ActionUnchanged, ActionLater:
		out.record = s.last
	case ActionUninstall:
		out.record = s.last
		if err := e.unneeded(ctx, s.Key); err != nil {
			return out, err
		}
		if out.record.Left, err = e.releases.Uninstall(ctx, s.Key); err == nil {
			out.record.Status = HelmUninstalled
		}
	case ActionRollback:
		if out.record, err = e.releases.Rollback(ctx, s.Key, s.Revision); err == nil {
			err = e.keepAuthority(ctx, s.Key)
		}
	default:
		out.record, err = e.releases.Apply(ctx, s.target, s.last)
	}
	return out, err
}

// preview compares with what Helm recorded, and with what is there.
func (releaseKind) preview(ctx context.Context, step *Step, p *previewing) error {
	var stored *Stored
	if step.last.Revision > 0 {
		var err error
		stored, err = p.releases.Stored(ctx, step.Key, 0)
		if step.refuses(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	step.returnable = stored != nil && stored.Verdict == Written
	step.vanished = len(stored.vanished()) > 0
	wanted := step.target.Rendered.Objects
	step.gone, _ = without(stored.objects(), wanted)
	changes, err := p.cluster.Compare(ctx, Comparison{
		Release: step.Key, Wanted: wanted, Gone: step.gone, Reach: stored.reach(wanted),
		AbsentNamespaces: p.absent, Absent: p.missing, Migrate: step.target.Migrate, Fields: p.options.Fields, Replace: true, Text: p.options.Text,
	})
	if err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	step.Changes = slices.Concat(changes, forgotten(stored, wanted))
	step.target.Replaces = replacements(changes)
	if step.Action.Changes() {
		if err := step.forecast(p.releases); err != nil {
			return err
		}
	}
	if step.Definitions, err = definitions(ctx, p.cluster, changes, wanted, step.gone, step.target.reviewing()); err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	if len(step.Definitions) > 0 {
		step.Concerns = step.others
	}
	if step.Action == ActionUpgrade {
		step.Values = step.target.shownChanges(stored)
	}
	step.Upgrades = slices.DeleteFunc(upgrades(stored, step.target.Release, step.target.Source), check.Upgrade.Stays)
	step.Downgrade = downgrade(stored, step.target, step.Definitions)
	if step.Defaults, err = changedDefaults(ctx, p.cluster, stored, step); err != nil {
		return fmt.Errorf("release %s: %w", step.Key, err)
	}
	if step.Action == ActionUnchanged {
		step.drifted()
	}
	return nil
}

// drifted makes a repair of an unchanged step whose objects are not as they should
// be. What admission would do to them if they were written is no drift.
func (s *Step) drifted() {
	admitted := func(c Change) bool { return len(c.Admission) > 0 }
	drift := slices.DeleteFunc(slices.Clone(s.Changes), func(c Change) bool { return c.Action == ChangeLeft || admitted(c) })
	if len(drift) > 0 {
		s.Action, s.Reason = ActionRepair, changedByOthers(drift)
		return
	}
	s.Admitted = slices.DeleteFunc(slices.Clone(s.Changes), func(c Change) bool { return !admitted(c) })
	s.Changes = slices.DeleteFunc(s.Changes, admitted)
}

// refuses makes a record that was altered the reason why a step cannot be done.
func (s *Step) refuses(err error) bool {
	var altered *AlteredError
	if !errors.As(err, &altered) {
		return false
	}
	s.Changes = []Change{{Action: ChangeRefused, Kind: "Secret", Namespace: altered.Namespace, Name: altered.Secret(), Reason: altered.Error()}}
	return true
}

// forgotten are the objects of a record that its next revision cannot have: their
// kinds have gone, and the objects with them.
func forgotten(stored *Stored, wanted []chart.Object) (out []Change) {
	gone, _ := without(stored.vanished(), wanted)
	for _, o := range gone {
		out = append(out, Change{
			Action: ChangeForget, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
			Reason: "the cluster does not serve " + o.APIVersion + " " + o.Kind + " any more; the record loses it",
		})
	}
	return out
}

func changedByOthers(changes []Change) string {
	if changes[0].Action == ChangeForget {
		return "its record names what the cluster does not serve any more"
	}
	return fmt.Sprintf("%s and maybe more was changed by another program", changes[0])
}

func releaseStep(target Target, s *Snapshot) Step {
	rows, last := s.Ownership[target.Key], s.Records[target.Key]
	action, reason := decide(target, s.Records, damaged(rows))
	for _, row := range rows {
		if row.Standing == Adoptable && row.Kind != KindRelease {
			target.Adopts = append(target.Adopts, row)
		}
	}
	if action == ActionInstall && len(target.Adopts) > 0 {
		action, reason = ActionAdopt, fmt.Sprintf("not installed, %d of its objects exist", len(target.Adopts))
	}
	// What another client wrote last, or we did not finish, may have fields
	// that are recorded as somebody else's.
	target.Migrate = len(target.Adopts) > 0 || last.Revision > 0 && (last.Digest == Digest{} || last.Status != HelmDeployed)
	step := Step{
		ID: releaseID(target.Key), Kind: StepRelease, Action: action, Reason: reason,
		Key: target.Key, target: target, last: last,
	}
	for _, namespace := range target.Namespaces() {
		if s.Namespaces[namespace] == NamespaceAbsent {
			step.Needs = append(step.Needs, namespaceID(namespace))
		}
	}
	return step
}

// decide compares a release as it should be with its newest record. The damage
// says what its objects lack; empty if nothing.
func decide(target Target, records map[fleet.Key]Record, damage string) (Action, string) {
	last, exists := records[target.Key]
	switch {
	case !exists:
		return ActionInstall, "not installed"
	case last.Status.Pending():
		return ActionRepair, "an earlier client left it " + string(last.Status)
	case last.Status.Leaving():
		return ActionInstall, "it is " + string(last.Status)
	case !last.Ours:
		return ActionAdopt, "installed by another program so far"
	case last.Status != HelmDeployed:
		return ActionUpgrade, "the last attempt " + string(last.Status)
	case last.Digest == Digest{}:
		return ActionUpgrade, fmt.Sprintf("revision %d was made by another program", last.Revision)
	case last.Fleet != target.FleetName:
		return ActionAdopt, fmt.Sprintf("belongs to fleet %s so far", last.Fleet)
	case last.Digest.Chart != target.Digest.Chart && last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "chart and values changed"
	case last.Digest.Chart != target.Digest.Chart:
		return ActionUpgrade, "chart changed"
	case last.Digest.Values != target.Digest.Values:
		return ActionUpgrade, "values changed"
	case last.Rival > 0:
		return ActionRepair, fmt.Sprintf("revisions %d and %d both say that they are deployed", last.Rival, last.Revision)
	case damage != "":
		return ActionRepair, damage
	default:
		return ActionUnchanged, ""
	}
}

// meant is the Helm revision that a step will write, if that is known. What Helm
// renders anew, or has hooks, may become another one.
func (s Step) meant() []ManifestAt {
	digest := s.manifest
	if s.target.Rendered != nil && s.target.Rendered.Manifest != "" {
		digest = ManifestDigest(s.target.Rendered.Manifest)
	}
	if !s.Action.Changes() || s.Action == ActionUninstall || digest == "" {
		return nil
	}
	return []ManifestAt{{Key: s.Key, Revision: s.last.Revision + 1, Digest: digest}}
}

func releaseAt(step Step, record Record) ReleaseAt {
	if step.Action == ActionLater && record.Revision == 0 {
		// The set of that time does not have it.
		record.Status = HelmUninstalled
	}
	return ReleaseAt{
		Key: step.Key, Chart: record.Chart, Revision: record.Revision, Status: record.Status, Action: step.Action,
		CRDs: step.target.Chart == fleet.ChartCRDs || step.crds, Digest: record.Digest, Manifest: record.Manifest,
	}
}

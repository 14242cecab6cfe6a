package rollout

import (
	"context"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// certificateKind makes, renews or has trusted the certificate of webhooks.
type certificateKind struct{ unseen }

func (certificateKind) needs(s *Step, _ bool) []Need { return authorityNeeds(s.target.authority) }

func (certificateKind) do(ctx context.Context, s Step, e *execution, _ func(string)) (done, error) {
	return done{}, e.cluster.KeepAuthority(context.WithoutCancel(ctx), *s.target.authority)
}

// authorityNeeds are the rights that a certificate takes beyond its release's.
func authorityNeeds(a *Authority) []Need {
	reason := "the certificate of release " + a.Release.String()
	out := []Need{
		{Verbs: []string{"create", "get", "update"}, Resource: "secrets", Namespace: a.Namespace, For: reason},
		{Verbs: []string{"get"}, Resource: "services", Namespace: a.Namespace, For: reason},
	}
	for i := range a.Configurations {
		out = append(out, Need{Verbs: []string{"get", "patch"}, Object: &a.Configurations[i], For: reason})
	}
	return out
}

// certificateStep follows the release, which brings the configurations or the
// Service; nil if nothing is due for the target whose authority it is.
func (s *Snapshot) certificateStep(of int, release Step) *Step {
	if len(s.due) == 0 || s.due[of] == "" {
		return nil
	}
	action := ActionRepair
	if release.last.Revision == 0 {
		action = ActionCreate
	}
	release.target.authority = s.Targets[of].authority
	return &Step{
		ID: "certificate " + release.Key.String(), Kind: StepCertificate, Action: action, Reason: s.due[of],
		Key: release.Key, Needs: []string{release.ID}, target: release.target,
	}
}

// keptBefore reports whether the certificate that a release's CRDs ask for is looked after
// with what converts, and nothing of the CRDs changes after that.
func keptBefore(release Step) bool {
	return !release.Action.Changes() && slices.ContainsFunc(release.target.After, converts)
}

// authorityFor is the target whose authority is due with a target: its own, but
// the one that converts waits for the certificate that CRDs ask for.
func (s *Snapshot) authorityFor(i int) int {
	if s.Targets[i].Chart != fleet.ChartConversion {
		return i
	}
	return max(i, slices.IndexFunc(s.Targets, func(t Target) bool { return slices.Contains(t.After, s.Targets[i].Key) }))
}

// keepAuthority makes the webhooks of what a release now has trusted.
func (e *execution) keepAuthority(ctx context.Context, key fleet.Key) error {
	stored, err := e.releases.Stored(ctx, key, 0)
	if err != nil {
		return err
	}
	authority, err := authorityOf(key, stored.objects())
	if err != nil || authority == nil {
		return err
	}
	return e.cluster.KeepAuthority(ctx, *authority)
}

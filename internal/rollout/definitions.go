package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
)

// Definitions reads CRDs and the objects of their kinds.
type Definitions interface {
	// Definition reads a CRD as it lives in the cluster; nil if there is none.
	Definition(ctx context.Context, name string) (*crdsafety.Definition, error)
	// Pages lists the objects of a CRD in one of its versions, page by page.
	Pages(ctx context.Context, crd *crdsafety.Definition, version string, page func([]map[string]any) error) error
}

// ReviewDefinitions says what the wanted CRDs do to the objects that live in
// the cluster, and what the deletion of the gone ones does. CRDs that do not
// exist yet are left out. The order of the answer is that of the arguments.
func ReviewDefinitions(ctx context.Context, cluster Definitions, wanted, gone []chart.Object) ([]*crdsafety.Report, error) {
	return reviewEach(ctx, cluster, wanted, gone, crdsafety.Review)
}

func reviewEach(ctx context.Context, cluster Definitions, wanted, gone []chart.Object, how reviewing) ([]*crdsafety.Report, error) {
	reports := make([]*crdsafety.Report, len(wanted)+len(gone))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inMemory)
	for i, object := range wanted {
		group.Go(func() error {
			next, err := crdsafety.Parse(object.Content)
			if err != nil {
				return fmt.Errorf("%s: %w", object, err)
			}
			reports[i], err = review(ctx, cluster, object.Name, next, how)
			return err
		})
	}
	for i, object := range gone {
		group.Go(func() (err error) {
			reports[len(wanted)+i], err = review(ctx, cluster, object.Name, nil, how)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []*crdsafety.Report
	for _, report := range reports {
		if report != nil {
			out = append(out, report)
		}
	}
	return out, nil
}

func review(ctx context.Context, cluster Definitions, name string, wanted *crdsafety.Definition, how reviewing) (*crdsafety.Report, error) {
	live, err := cluster.Definition(ctx, name)
	if err != nil || live == nil {
		return nil, err
	}
	return how(ctx, live, wanted, func(ctx context.Context, version string, page func([]map[string]any) error) error {
		return cluster.Pages(ctx, live, version, page)
	})
}

// definitions reviews the CRDs that the changes of a step are about.
func definitions(ctx context.Context, cluster Definitions, changes []Change, wanted, gone []chart.Object, how reviewing) ([]*crdsafety.Report, error) {
	touched := map[string]ChangeAction{}
	for _, change := range changes {
		if change.Kind == kindCRD && change.Action != ChangeCreate {
			touched[change.Name] = change.Action
		}
	}
	pick := func(objects []chart.Object, deleted bool) (out []chart.Object) {
		for _, o := range objects {
			if action, ok := touched[o.Name]; ok && isCRD(o) && (action == ChangeDelete) == deleted {
				out = append(out, o)
			}
		}
		return out
	}
	if len(touched) == 0 {
		return nil, nil
	}
	return reviewEach(ctx, cluster, pick(wanted, false), pick(gone, true), how)
}

// OtherFleet is a fleet beside this one, and where its releases are, as they say
// themselves.
type OtherFleet struct {
	Name       string   `json:"name"`
	Namespaces []string `json:"namespaces"`
}

// otherFleets groups releases, which are sorted by fleet and namespace.
func otherFleets(releases []Record) (out []OtherFleet) {
	for _, r := range releases {
		if len(out) == 0 || out[len(out)-1].Name != r.Fleet {
			out = append(out, OtherFleet{Name: r.Fleet})
		}
		last := &out[len(out)-1]
		if !slices.Contains(last.Namespaces, r.Namespace) {
			last.Namespaces = append(last.Namespaces, r.Namespace)
		}
	}
	return out
}

// downgrade says that definitions would go back to an older chart that knows
// less; empty if they do not.
func downgrade(stored *Stored, target Target, reports []*crdsafety.Report) string {
	if stored == nil || stored.Chart != target.Source.Name() || !older(target.Source.Version(), stored.Version) {
		return ""
	}
	return goesBack(fmt.Sprintf("chart %s %s is installed and %s is older", stored.Chart, stored.Version, target.Source.Version()), reports)
}

// goesBack names a definition that would know less; empty if there is none.
func goesBack(because string, reports []*crdsafety.Report) string {
	for _, report := range reports {
		for _, change := range report.Changes {
			if change.Class.AtLeast(crdsafety.Narrowing) {
				return fmt.Sprintf("%s: CRD %s would go back (%s)", because, report.Name, change)
			}
		}
	}
	return ""
}

// older compares versions; what is no version is not older.
func older(a, b string) bool {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	return errA == nil && errB == nil && va.LessThan(vb)
}

// shownHarms is how many harmed objects an error names; a plan names all.
const shownHarms = 10

// harmLines says, with advice, what the CRDs of all steps forbid.
func (p *Plan) harmLines() []string {
	var lines []string
	harmful, older := false, false
	for _, step := range p.Steps {
		lines = append(lines, step.harmLines(p.AcceptBreakage)...)
		harmful = harmful || slices.ContainsFunc(step.Definitions, func(r *crdsafety.Report) bool { return r.Harmful() && !r.Impossible() })
		older = older || step.Downgrade != ""
	}
	if harmful && !p.AcceptBreakage {
		lines = append(lines, adviceOnCRDs)
	}
	if older && !p.AcceptBreakage {
		lines = append(lines, adviceOnDowngrades)
	}
	return lines
}

// harmLines says what the definitions of a step forbid, unless the breakage of
// live objects was accepted.
func (s Step) harmLines(accepted bool) []string {
	var lines []string
	for _, r := range s.Definitions {
		switch {
		case r.Impossible():
			for _, change := range r.Changes {
				if change.Class == crdsafety.Forbidden {
					lines = append(lines, fmt.Sprintf("%s: CRD %s: the API server does not allow this: %s", s.ID, r.Name, change))
				}
			}
		case accepted || !r.Harmful():
		case r.Deleted:
			lines = append(lines, fmt.Sprintf("%s: CRD %s is deleted, and with it %d live objects", s.ID, r.Name, r.Objects))
		default:
			lines = append(lines, harmsOf(s, r)...)
		}
	}
	if s.Downgrade != "" && !accepted {
		lines = append(lines, s.ID+": "+s.Downgrade)
	}
	return lines
}

func harmsOf(s Step, r *crdsafety.Report) []string {
	var lines []string
	for _, change := range r.Changes {
		if change.Class == crdsafety.Breaking {
			lines = append(lines, fmt.Sprintf("%s: CRD %s has %d live objects, and %s", s.ID, r.Name, r.Objects, change))
		}
	}
	for _, says := range r.Unjudged {
		lines = append(lines, fmt.Sprintf("%s: CRD %s: %s", s.ID, r.Name, says))
	}
	if len(r.Harms) == 0 {
		return lines
	}
	lines = append(lines, fmt.Sprintf("%s: CRD %s would break %d of %d live objects:", s.ID, r.Name, r.Broken(), r.Objects))
	for i, harm := range r.Harms {
		if i == shownHarms {
			lines = append(lines, fmt.Sprintf("  and %d more; `wheelhouse plan` lists all", len(r.Harms)-shownHarms))
			break
		}
		lines = append(lines, "  "+harm.String())
	}
	return lines
}

// adviceOnCRDs is what to do about harmed objects.
const adviceOnCRDs = "CRDs: change the objects so that they fit both definitions, or accept what is lost with --accept-crd-breakage."

// adviceOnDowngrades is what to do about an older chart of CRDs.
const adviceOnDowngrades = "Older CRDs: another client has installed newer ones; use charts or a wheelhouse as new as those, return to a revision with `wheelhouse rollback`, or accept with --accept-crd-breakage."

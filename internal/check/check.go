// Package check says whether a fleet may be rolled out. Each rule is one small
// value that explains itself. Offline it sees the fleet, its resolved values
// and its rendered objects; live it also sees facts of the cluster, which are
// plain data. The package knows no cluster client.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Severity says what a finding means for the rollout.
type Severity string

// An Error stops a rollout, a Warning is printed, and a Note says what could
// not be checked.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Input is what rules look at.
type Input struct {
	Set *fleet.Set
	// Charts holds the loaded charts by their key in the fleet file.
	Charts map[string]*chart.Chart
	// Unfetched is why third-party charts that are not at hand could not be
	// fetched; nil if nobody tried.
	Unfetched error
	// Rendered is empty until values have passed their rules. It lacks releases that
	// were judged before and are as they were.
	Rendered map[fleet.Key]*chart.Rendered
	// KubeVersion is the Kubernetes version that objects are rendered for, such
	// as v1.36.0.
	KubeVersion string
	// Images says, by image, why its registry does not give it; nil where the
	// registries were not asked.
	Images map[string]string
	// Signatures says, of each image that must be signed, why it is not known to be;
	// empty where it is.
	Signatures map[string]string
	// Caps is what objects are rendered for; nil: OfflineCapabilities.
	Caps *chart.Capabilities
	// Cluster is nil offline.
	Cluster *Cluster

	decoded *decoder
}

// Finding is a broken rule.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Page is where the rule is explained, relative to the repository.
	Page string `json:"page"`
	fleet.Problem
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s [%s]", f.Severity, f.Problem, f.Rule)
}

// Findings is the outcome of a check.
type Findings []Finding

// Refusal is the error of findings that stop a rollout.
type Refusal struct {
	// Findings holds all of them, also those that alone would not stop it.
	Findings Findings
}

func (r *Refusal) Error() string {
	var lines, pages []string
	for _, f := range r.Findings.With(Error) {
		lines = append(lines, f.Problem.String()+" ["+f.Rule+"]")
		if page := "`wheelhouse rules " + f.Rule + "`"; !slices.Contains(pages, page) {
			pages = append(pages, page)
		}
	}
	return strings.Join(append(lines, "Why: "+strings.Join(pages, ", ")), "\n")
}

// Err returns the errors among the findings as a *Refusal, or nil.
func (fs Findings) Err() error {
	if len(fs.With(Error)) == 0 {
		return nil
	}
	return &Refusal{Findings: fs}
}

// Warnings returns the findings that do not stop a rollout.
func (fs Findings) Warnings() Findings { return fs.With(Warning, Note) }

// Count says how many findings have a severity.
func (fs Findings) Count(s Severity) int { return len(fs.With(s)) }

// Of returns the findings of one rule.
func (fs Findings) Of(rule string) Findings {
	return slices.DeleteFunc(slices.Clone(fs), func(f Finding) bool { return f.Rule != rule })
}

// With returns the findings of some severities.
func (fs Findings) With(severities ...Severity) Findings {
	return slices.DeleteFunc(slices.Clone(fs), func(f Finding) bool { return !slices.Contains(severities, f.Severity) })
}

// Refused returns the findings in an error, if it is a refusal.
func Refused(err error) (Findings, bool) {
	var r *Refusal
	if !errors.As(err, &r) {
		return nil, false
	}
	return r.Findings, true
}

// Values runs the rules that need no rendered objects.
func Values(in Input) Findings { return runAll(valueRules, in) }

// Objects runs the rules on rendered objects.
func Objects(in Input) Findings { return runAll(objectRules, in) }

// Images runs the rules that need to know what registries have.
func Images(in Input) Findings { return runAll(registryRules, in) }

// Live runs the rules that need to know the cluster. What could not be read
// becomes a note that names the rules which wanted it.
func Live(in Input) Findings {
	in.decoded = newDecoder()
	var out Findings
	hidden := map[string][]string{}
	for _, rule := range asking() {
		if rule.Live == nil || !rule.applies(in.Set) {
			continue
		}
		if reason := rule.hidden(in.Cluster); reason != "" {
			hidden[reason] = append(hidden[reason], rule.ID)
			continue
		}
		out = append(out, rule.findings(rule.Live(in))...)
	}
	for _, reason := range slices.Sorted(maps.Keys(hidden)) {
		slices.Sort(hidden[reason])
		out = append(out, Finding{
			Rule: strings.Join(hidden[reason], ", "), Severity: Note, Page: index,
			Problem: fleet.Problem{Message: "not checked: " + reason},
		})
	}
	return hideSealed(in.Set, out)
}

// index lists all rules.
const index = "docs/rules/README.md"

// hidden is why a fact that the rule needs is not known; "" if all are.
func (r Rule) hidden(c *Cluster) string {
	for _, fact := range r.Needs {
		if reason, unknown := c.Unknown[fact]; unknown {
			return reason
		}
	}
	return ""
}

func runAll(rules []Rule, in Input) Findings {
	in.decoded = newDecoder()
	found := make([]Findings, len(rules))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, rule := range rules {
		if rule.Find != nil && rule.applies(in.Set) {
			group.Go(func() error {
				found[i] = rule.findings(rule.Find(in))
				return nil
			})
		}
	}
	_ = group.Wait() // no rule returns an error
	return hideSealed(in.Set, slices.Concat(found...))
}

// hideSealed keeps what was encrypted out of whatever a rule says.
func hideSealed(set *fleet.Set, findings Findings) Findings {
	values := make([]*fleet.Value, 0, len(set.Releases))
	for _, rel := range set.Releases {
		values = append(values, rel.Overrides)
	}
	hide := fleet.HidingSealed(values...)
	for i := range findings {
		findings[i].Message, findings[i].Fix = hide(findings[i].Message), hide(findings[i].Fix)
	}
	return findings
}

func (r Rule) findings(problems []fleet.Problem) Findings {
	var out Findings
	for _, problem := range collapse(problems) {
		problem.Fix = cmp.Or(problem.Fix, r.Fix)
		out = append(out, Finding{Rule: r.ID, Severity: r.Severity, Page: r.Page(), Problem: problem})
	}
	return out
}

// collapse reports a line of a shared file once, not once per tenant. What has
// no place in a file stays.
func collapse(problems []fleet.Problem) []fleet.Problem {
	type line struct {
		origin fleet.Origin
		fix    string
	}
	var out []fleet.Problem
	first, again := map[line]int{}, map[int]int{}
	for _, p := range problems {
		id := line{p.Origin, p.Fix}
		if i, seen := first[id]; seen && p.Fix != "" && p.Origin != (fleet.Origin{}) {
			again[i]++
			continue
		}
		first[id] = len(out)
		out = append(out, p)
	}
	for i, n := range again {
		out[i].Message += fmt.Sprintf("; the same in %d more releases", n)
	}
	return out
}

// Package check says whether a fleet may be rolled out. Each rule is one small
// value with an id, a severity, a sentence and a fix. Offline rules see the
// fleet, its resolved values and its rendered objects; live rules also see what
// other operators the cluster has. The package knows no cluster client.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Severity says what a finding means for the rollout.
type Severity string

// An Error stops a rollout, a Warning is printed.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Input is what rules look at.
type Input struct {
	Set *fleet.Set
	// Charts holds the loaded charts by their key in the fleet file.
	Charts map[string]*chart.Chart
	// Rendered is empty until values have passed their rules.
	Rendered map[fleet.Key]*chart.Rendered
	// Operators is what runs in the cluster; nil offline.
	Operators []Operator
}

// Rule is one thing that must hold.
type Rule struct {
	// ID is stable; C-nn are the coupling rules of the charts.
	ID       string
	Severity Severity
	// Says is the rule in one sentence.
	Says string
	// Fix is what to do, unless a problem knows better.
	Fix string
	// Find returns what breaks the rule.
	Find func(Input) []fleet.Problem
}

// Finding is a broken rule.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	fleet.Problem
}

func (f Finding) String() string {
	text := f.Problem.String()
	return fmt.Sprintf("%s: %s [%s]", f.Severity, text, f.Rule)
}

// Findings is the outcome of a check.
type Findings []Finding

// Err returns the errors among the findings as one error, or nil.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs {
		if f.Severity == Error {
			lines = append(lines, f.Problem.String()+" ["+f.Rule+"]")
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Warnings returns the findings that do not stop a rollout.
func (fs Findings) Warnings() Findings {
	return slices.DeleteFunc(slices.Clone(fs), func(f Finding) bool { return f.Severity != Warning })
}

// Values runs the rules that need no rendered objects.
func Values(in Input) Findings { return run(valueRules, in) }

// Objects runs the rules on rendered objects.
func Objects(in Input) Findings { return run(objectRules, in) }

// Live runs the rules that need to know the cluster.
func Live(in Input) Findings { return run(liveRules, in) }

// Rules lists every rule, for documentation.
func Rules() []Rule { return slices.Concat(valueRules, objectRules, liveRules) }

// A new rule is one value and one line in one of these lists.
var (
	valueRules = []Rule{
		valuesMatchSchema,
		dependenciesAtHand,
		definitionsComeFirst,
		onePlatformPerNamespace,
		scopesDoNotMix,
		scopeIsStatedOnce,
		restrictionStaysHome,
		natsIsInstalledWhereAnnounced,
		etcdIsInstalledWhereAnnounced,
	}
	objectRules = []Rule{
		objectNamesFit,
		objectsAreUnique,
	}
	liveRules = []Rule{
		noForeignOperator,
	}
)

func run(rules []Rule, in Input) Findings {
	var out Findings
	for _, rule := range rules {
		for _, problem := range collapse(rule.Find(in)) {
			problem.Fix = cmp.Or(problem.Fix, rule.Fix)
			out = append(out, Finding{Rule: rule.ID, Severity: rule.Severity, Problem: problem})
		}
	}
	return out
}

// collapse reports a line of a shared file once, not once per tenant.
func collapse(problems []fleet.Problem) []fleet.Problem {
	type line struct {
		origin fleet.Origin
		fix    string
	}
	var out []fleet.Problem
	first, again := map[line]int{}, map[int]int{}
	for _, p := range problems {
		id := line{p.Origin, p.Fix}
		if i, seen := first[id]; seen && p.Fix != "" {
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

package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var dependenciesAtHand = Rule{
	ID:       "W-01",
	Severity: Error,
	Says:     "A dependency that is turned on must be at hand.",
	Why: "Third-party charts are not in the binary. Rendering would leave out what was asked for, or fail for all releases. Commands fetch what is missing " +
		"and pin it in wheelhouse.lock, unless there is no way to its repository or the site is air-gapped.",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, missing := range in.Charts[rel.Chart].Missing(rel.Values.PlainMap()) {
				problems = append(problems, notAtHand(in, rel, missing))
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: "values: [{platform: {etcd: {enabled: true}}}]\nplatforms: [{namespace: team-a}]"}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}

func notAtHand(in Input, rel fleet.Release, missing chart.Dependency) fleet.Problem {
	file := rel.Origin.File
	p := fleet.Problem{
		Origin:  originOf(rel, splitPath(missing.Condition)...),
		Message: fmt.Sprintf("release %s turns on %s, but the chart %s is not at hand", rel.Key, missing.Condition, missing),
		Fix: fmt.Sprintf("where there is a network: `wheelhouse deps pull -f %[1]s`; where there is none: `wheelhouse bundle load BUNDLE -f %[1]s`; or set %[2]s.%[3]s: false",
			file, rel.Chart, missing.Condition),
	}
	if in.Unfetched != nil {
		p.Message += " and could not be fetched: " + in.Unfetched.Error()
	}
	return p
}

func isPlatform(rel fleet.Release) bool { return rel.Chart == fleet.ChartPlatform }

// whenTrue picks platforms in which a value is true.
func whenTrue(path ...string) func(fleet.Release) bool {
	return func(rel fleet.Release) bool { return isPlatform(rel) && isTrue(rel.Values.At(path...)) }
}

// problem is a problem at a place in a file.
func problem(at fleet.Origin, format string, args ...any) fleet.Problem {
	return fleet.Problem{Origin: at, Message: fmt.Sprintf(format, args...)}
}

func isTrue(v *fleet.Value) bool {
	on, _ := v.Plain().(bool)
	return on
}

// text is a string value, or "".
func text(rel fleet.Release, path ...string) string {
	s, _ := rel.Values.At(path...).Plain().(string)
	return s
}

// originOf points at a value of a release, or as near as there is one.
func originOf(rel fleet.Release, path ...string) fleet.Origin {
	if v := rel.Values.Nearest(path...); v != nil && v.Origin != (fleet.Origin{}) {
		return v.Origin
	}
	return rel.Origin
}

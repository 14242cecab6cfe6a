// Package transition says what is known of taking a chart from one version to
// another. What is known is data: a file per chart in records, which names the
// versions that somebody has looked at, and what the way to them asks for. What
// no record speaks of is unknown, and is called so.
package transition

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"
)

// Verdict says whether a release may take a way by itself.
type Verdict string

// The verdicts. Only what was carried out end to end is safe.
const (
	Unchanged Verdict = "unchanged"
	Safe      Verdict = "safe"
	// Manual asks people for steps that no chart does.
	Manual Verdict = "manual"
	// Blocked loses data, or cannot work.
	Blocked Verdict = "blocked"
	// Unknown is what nobody has looked at.
	Unknown Verdict = "unknown"
)

// Fine reports whether nobody has to do or to look at anything.
func (v Verdict) Fine() bool { return v == Safe || v == Unchanged }

// Direction is that of a way: to a newer version, or back.
type Direction string

// The directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Judgement is what is known of one way.
type Judgement struct {
	Verdict Verdict `json:"verdict"`
	// Because says why; of a way that is unknown, what is not known.
	Because string `json:"because,omitempty"`
	// Steps are what people do, in order.
	Steps []string `json:"steps,omitempty"`
	// Test is the test that took the way end to end; only a safe one has it.
	Test string `json:"test,omitempty"`
}

// Judge says what the records of this program know of taking a chart from one version
// to another.
func Judge(chart, from, to string) Judgement {
	records, err := Embedded()
	if err != nil {
		return unknown("%s", unreadable(err))
	}
	return records.Judge(chart, from, to)
}

// Judge says what the records know of taking a chart from one version to another.
// The first transition of its record that fits decides.
func (r Records) Judge(chart, from, to string) Judgement {
	if from == to && from != "" {
		return Judgement{Verdict: Unchanged}
	}
	record, known := r[chart]
	if !known {
		return unknown("there are no records of the chart %s", chart)
	}
	installed, err := semver.NewVersion(from)
	if err != nil {
		return unknown("what is installed, %q, is no version of the chart %s", from, chart)
	}
	wanted, err := semver.NewVersion(to)
	if err != nil {
		return unknown("%q is no version of the chart %s", to, chart)
	}
	if installed.Equal(wanted) {
		return Judgement{Verdict: Unchanged}
	}
	if !record.Reviewed(to) {
		return unknown("nobody has looked at %s %s; the records speak of ways to %s", chart, to, list(record.To))
	}
	way := Up
	if wanted.LessThan(installed) {
		way = Down
	}
	for _, t := range record.Transitions {
		if t.Direction == way && t.from.Check(installed) && t.to.Check(wanted) {
			return Judgement{Verdict: t.Verdict, Because: t.Because, Steps: t.Steps, Test: t.Test}
		}
	}
	return unknown("no record speaks of %s %s to %s", chart, from, to)
}

// Reviewed reports whether somebody has looked at the ways to a version.
func (r Record) Reviewed(version string) bool {
	wanted, err := semver.NewVersion(version)
	return err == nil && slices.ContainsFunc(r.To, func(v string) bool {
		reviewed, err := semver.NewVersion(v)
		return err == nil && reviewed.Equal(wanted)
	})
}

func unknown(format string, args ...any) Judgement {
	return Judgement{Verdict: Unknown, Because: fmt.Sprintf(format, args...)}
}

package check

import (
	"fmt"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// Upgrade is a chart of a release that is to be of another version: the release's
// own, or that of a dependency which was on and stays on.
type Upgrade struct {
	Release fleet.Key `json:"release"`
	// Part is the key of a dependency; empty for the release's own chart.
	Part string `json:"part,omitempty"`
	// Chart is the name by which records know it.
	Chart string `json:"chart"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// Judge says what the records know of it.
func (u Upgrade) Judge() transition.Judgement {
	return transition.Judge(u.Chart, u.From, u.To)
}

// Stays reports whether the version stays what it is.
func (u Upgrade) Stays() bool { return u.Judge().Verdict == transition.Unchanged }

// Next says what to do about a verdict; empty if there is nothing to do.
func (u Upgrade) Next(verdict transition.Verdict) string {
	switch verdict {
	case transition.Blocked:
		return "keep " + u.Chart + " " + u.From + ", with spec.charts of the fleet file or the program of that time"
	case transition.Manual:
		return "do these steps, then `wheelhouse apply`"
	case transition.Unknown:
		return "try it on a copy of the cluster first; `wheelhouse plan -o diff` shows what changes"
	default:
		return ""
	}
}

func (u Upgrade) String() string {
	if u.From == "" {
		return u.Chart + " of release " + u.Release.String()
	}
	return u.Chart + " from " + u.From + " to " + u.To
}

// Upgrades runs the rules on what releases go from and to, once that has been
// read.
func Upgrades(upgrades []Upgrade) Findings {
	in := Input{Cluster: &Cluster{Upgrades: upgrades}}
	var out Findings
	for _, rule := range upgradeRules {
		out = append(out, rule.findings(rule.Live(in))...)
	}
	return out
}

var upgradesAreNotBlocked = Rule{
	ID:       "C-47",
	Severity: Error,
	Says:     "No chart goes to a version to which the way from the installed one is blocked.",
	Why: "Some ways lose data, or cannot work, and nothing of that shows in a dry run. The records of charts (docs/upgrade-check.md) say which; the way back is a " +
		"way of its own. Nothing is written, to this release or to others.",
	Needs: []Fact{FactUpgrades},
	Live: func(in Input) []fleet.Problem {
		return upgradeProblems(in, func(u Upgrade, j transition.Judgement) (says, fix string) {
			if j.Verdict != transition.Blocked {
				return "", ""
			}
			return "is blocked: " + j.Because, u.Next(j.Verdict)
		})
	},
	Fails: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: upgrading(Upgrade{Release: fleet.Key{Namespace: "default", Name: "dynamo-crds"}, Chart: "dynamo-crds", From: "1.0.0", To: "0.9.0"}),
	}},
	Passes: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: upgrading(Upgrade{Release: fleet.Key{Namespace: "default", Name: "dynamo-crds"}, Chart: "dynamo-crds", From: "0.9.0", To: "1.0.0"}),
	}},
}

var upgradesAreKnown = Rule{
	ID:       "C-48",
	Severity: Warning,
	Says:     "A chart goes to another version only where somebody went that way before.",
	Why: "A way is called safe if a test of ours has gone it from end to end, version by version. Others may ask for steps that no chart does, or nobody knows. It is a " +
		"warning because most ways go well; but what is not known is never passed over in silence.",
	Needs: []Fact{FactUpgrades},
	Live: func(in Input) []fleet.Problem {
		return upgradeProblems(in, func(u Upgrade, j transition.Judgement) (says, fix string) {
			switch j.Verdict {
			case transition.Manual:
				return "asks for steps by hand: " + j.Because, numbered(j.Steps)
			case transition.Unknown:
				return "is unknown: " + j.Because, u.Next(j.Verdict)
			default:
				return "", ""
			}
		})
	},
	Fails: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: upgrading(Upgrade{Release: teamA, Part: "nats", Chart: "nats", From: "0.19.17", To: "1.3.2"}),
	}, {
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: upgrading(Upgrade{Release: teamA, Part: "nats", Chart: "nats", From: "1.3.2", To: "1.4.0"}),
	}},
	Passes: []Example{{
		Fleet:   "platforms: [{namespace: team-a}]",
		Cluster: upgrading(Upgrade{Release: teamA, Part: "nats", Chart: "nats", From: "1.3.2", To: "1.3.2"}),
	}},
}

var teamA = fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}

func upgrading(u Upgrade) *Cluster { return &Cluster{Upgrades: []Upgrade{u}} }

// upgradeProblems is what there is to say of the upgrades, once for all releases that
// go the same way.
func upgradeProblems(in Input, judge func(Upgrade, transition.Judgement) (says, fix string)) (problems []fleet.Problem) {
	releases, order := map[Upgrade][]fleet.Key{}, []Upgrade{}
	for _, u := range in.Cluster.Upgrades {
		way := Upgrade{Part: u.Part, Chart: u.Chart, From: u.From, To: u.To}
		if releases[way] == nil {
			order = append(order, way)
		}
		releases[way] = append(releases[way], u.Release)
	}
	for _, way := range order {
		says, fix := judge(way, way.Judge())
		if says == "" {
			continue
		}
		whose := "release " + releases[way][0].String()
		if n := len(releases[way]) - 1; n > 0 {
			whose += fmt.Sprintf(" and %d more", n)
		}
		problems = append(problems, fleet.Problem{Message: fmt.Sprintf("%s: %s %s", whose, way, says), Fix: fix})
	}
	return problems
}

// numbered writes steps on one line.
func numbered(steps []string) string {
	out := make([]string, len(steps))
	for i, step := range steps {
		out[i] = fmt.Sprintf("(%d) %s", i+1, step)
	}
	return strings.Join(out, "; ")
}

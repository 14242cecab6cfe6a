package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// ReleaseResult is one row of what a rollout did.
type ReleaseResult struct {
	Release   string  `json:"release"`
	Namespace string  `json:"namespace"`
	Chart     string  `json:"chart"`
	Revision  int     `json:"revision"`
	Status    string  `json:"status"`
	Action    string  `json:"action"`
	Reason    string  `json:"reason,omitempty"`
	Seconds   float64 `json:"seconds"`
	Error     string  `json:"error,omitempty"`
	// Note says what is not ready and was not waited for.
	Note string `json:"note,omitempty"`
}

// Run is what a rollout did, for programs.
type Run struct {
	Releases    []ReleaseResult `json:"releases"`
	Interrupted bool            `json:"interrupted"`
	// Seconds is the time from the first step's start to the last one's end.
	Seconds float64 `json:"seconds"`
	// Undone is what was taken back after a failure, Stays what was not.
	Undone []ReleaseResult `json:"undone,omitempty"`
	Stays  []string        `json:"stays,omitempty"`
}

// NewRun describes a result.
func NewRun(r *rollout.Result) Run {
	run := Run{Releases: Results(r), Interrupted: r.Interrupted, Seconds: r.Took().Seconds(), Stays: r.Stays}
	if r.Undone != nil {
		run.Undone = changed(Results(r.Undone))
	}
	return run
}

// became says what was done to a release, by the action.
var became = map[rollout.Action]string{
	rollout.ActionInstall: "installed", rollout.ActionUpgrade: "upgraded", rollout.ActionRollback: "rolled back",
	rollout.ActionRepair: "repaired", rollout.ActionAdopt: "taken over", rollout.ActionUninstall: "removed", rollout.ActionLater: "left for later",
}

// outcome is what became of a release, in a word or two.
func (r ReleaseResult) outcome() string {
	what := cmp.Or(became[rollout.Action(r.Action)], "unchanged")
	switch {
	case r.Error != "":
		return cmp.Or(r.Status, "failed")
	case r.Note != "":
		return what + " and not waited for"
	default:
		return what
	}
}

// verdict is the run in one sentence: how it ended, and what became of how many
// releases, what failed first.
func (r Run) verdict() string {
	rows := slices.Clone(r.Releases)
	slices.SortStableFunc(rows, func(a, b ReleaseResult) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	how := "Done"
	switch {
	case r.Interrupted:
		how = "Interrupted"
	case len(rows) > 0 && rows[0].Error != "":
		how = "Failed"
	}
	return fmt.Sprintf("%s after %s: %s.", how, Seconds(time.Duration(r.Seconds*float64(time.Second))), cmp.Or(tally(rows, ReleaseResult.outcome), "no release"))
}

// tally counts what rows have in common: "2 failed, 4 installed".
func tally[T any](rows []T, what func(T) string) string {
	counts, order := map[string]int{}, []string{}
	for _, row := range rows {
		text := what(row)
		if counts[text]++; counts[text] == 1 {
			order = append(order, text)
		}
	}
	for i, text := range order {
		order[i] = fmt.Sprintf("%d %s", counts[text], text)
	}
	return strings.Join(order, ", ")
}

// changed leaves out rows of releases that stayed as they were.
func changed(rows []ReleaseResult) []ReleaseResult {
	return slices.DeleteFunc(rows, func(r ReleaseResult) bool { return !rollout.Action(r.Action).Changes() })
}

// RunTables prints what a rollout did, and what it took back; wide also has what
// is the same in most rows.
func RunTables(w io.Writer, r *rollout.Result, wide bool) error {
	run := NewRun(r)
	if _, err := fmt.Fprintln(w, wrap(w, run.verdict())+"\n"); err != nil {
		return err
	}
	if err := resultTable(w, run.Releases, wide); err != nil || run.Undone == nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "\nTaken back:"); err != nil {
		return err
	}
	return resultTable(w, run.Undone, wide)
}

// Results has one row per release, its gate included.
func Results(r *rollout.Result) []ReleaseResult {
	rows := []ReleaseResult{}
	gates := map[string]rollout.Outcome{}
	for _, o := range r.Outcomes {
		if o.Step.Kind == rollout.StepGate {
			gates[o.Step.Key.String()] = o
		}
	}
	for _, o := range r.Outcomes {
		if o.Step.Kind == rollout.StepRelease {
			rows = append(rows, resultRow(o, gates[o.Step.Key.String()]))
		}
	}
	return rows
}

func resultRow(release, gate rollout.Outcome) ReleaseResult {
	row := ReleaseResult{
		Release: release.Step.Key.Name, Namespace: release.Step.Key.Namespace,
		Chart: release.Record.Chart, Revision: release.Record.Revision, Status: string(release.Record.Status),
		Action: string(release.Step.Action), Reason: release.Step.Reason, Seconds: (release.Took + gate.Took).Seconds(),
		Note: gate.Note,
	}
	switch {
	case release.State == rollout.StateFailed:
		row.Status, row.Error = "failed", release.Err.Error()
	case release.State == rollout.StateSkipped:
		row.Status, row.Error = "skipped", release.Err.Error()
	case gate.State == rollout.StateFailed:
		row.Status, row.Error = "not ready", gate.Err.Error()
	}
	return row
}

// resultTable prints what a rollout did, what failed first.
func resultTable(w io.Writer, rows []ReleaseResult, wide bool) error {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b ReleaseResult) int { return cmp.Compare(rankOf(a), rankOf(b)) })
	header := []string{"NAMESPACE", "RELEASE", "REV", "STATUS", "ACTION", "TIME"}
	if wide {
		header = append(header, "CHART", "REASON")
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		row := []string{
			r.Namespace, r.Release, number(r.Revision), orDash(r.Status), r.Action,
			Seconds(time.Duration(r.Seconds * float64(time.Second))),
		}
		if wide {
			row = append(row, orDash(r.Chart), orDash(r.Reason))
		}
		cells = append(cells, row)
	}
	return Table(uncut(w, wide), header, cells)
}

// rankOf puts what is broken first.
func rankOf(r ReleaseResult) int {
	switch {
	case r.Error == "":
		return 2
	case r.Status == "skipped":
		return 1
	default:
		return 0
	}
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
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

// changed leaves out rows of releases that stayed as they were.
func changed(rows []ReleaseResult) []ReleaseResult {
	return slices.DeleteFunc(rows, func(r ReleaseResult) bool { return !rollout.Action(r.Action).Changes() })
}

// RunTables prints what a rollout did, and what it took back.
func RunTables(w io.Writer, r *rollout.Result) error {
	run := NewRun(r)
	if err := ResultTable(w, run.Releases); err != nil || run.Undone == nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "\nTaken back:"); err != nil {
		return err
	}
	return ResultTable(w, run.Undone)
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
		Chart: release.Record.Chart, Revision: release.Record.Revision, Status: release.Record.Status,
		Action: string(release.Step.Action), Reason: release.Step.Reason, Seconds: (release.Took + gate.Took).Seconds(),
		Note: gate.Record.Status,
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

// ResultTable prints what a rollout did.
func ResultTable(w io.Writer, rows []ReleaseResult) error {
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, []string{
			r.Release, r.Namespace, orDash(r.Chart), number(r.Revision), orDash(r.Status), r.Action,
			Seconds(time.Duration(r.Seconds * float64(time.Second))),
		})
	}
	return Table(w, []string{"RELEASE", "NAMESPACE", "CHART", "REVISION", "STATUS", "ACTION", "TIME"}, cells)
}

// StatusTables prints how a fleet is.
func StatusTables(w io.Writer, s *rollout.Status) error {
	header := []string{"RELEASE", "NAMESPACE", "CHART", "REVISION", "STATUS", "GATE", "UPDATED", "DRIFT"}
	certified := slices.ContainsFunc(s.Releases, func(r rollout.ReleaseStatus) bool { return r.Certificate() != nil })
	if certified {
		header = slices.Insert(header, 7, "CERTIFICATE")
	}
	rows := make([][]string, 0, len(s.Releases))
	for _, r := range s.Releases {
		drift := "no"
		if r.Drift != "" {
			drift = "yes: " + r.Drift
		}
		gate := "ready"
		if r.Gate != "" {
			gate = "waits"
		}
		row := []string{r.Name, r.Namespace, orDash(r.Chart), number(r.Revision), r.Status, gate, Age(r.Updated), drift}
		if certified {
			row = slices.Insert(row, 7, validFor(r.Certificate()))
		}
		rows = append(rows, row)
	}
	if err := Table(w, header, rows); err != nil {
		return err
	}
	if err := graphTable(w, s.Graphs); err != nil {
		return err
	}
	return statusNotes(w, s)
}

// validFor writes how long a certificate is still good.
func validFor(c *rollout.Certificate) string {
	switch {
	case c == nil:
		return "-"
	case c.Expires.IsZero():
		return "none"
	case !c.Expires.After(time.Now()):
		return "expired"
	default:
		return Age(time.Now().Add(-time.Until(c.Expires)))
	}
}

func graphTable(w io.Writer, graphs []rollout.Graph) error {
	if len(graphs) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(graphs))
	for _, g := range graphs {
		rows = append(rows, []string{g.Name, g.Namespace, yesNo(g.Ready), orDash(g.Reason), Age(g.Created)})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return Table(w, []string{"GRAPH", "NAMESPACE", "READY", "REASON", "AGE"}, rows)
}

// statusNotes says what the tables have no room for.
func statusNotes(w io.Writer, s *rollout.Status) error {
	var notes []string
	for _, r := range s.Releases {
		if r.Gate != "" && r.Status != "missing" {
			notes = append(notes, fmt.Sprintf("%s: %s", r.Key, r.Gate))
		}
	}
	for _, r := range s.Releases {
		if c := r.Certificate(); c != nil && c.Warning(time.Now()) != "" {
			notes = append(notes, fmt.Sprintf("%s: %s", r.Key, c.Warning(time.Now())))
		}
		for _, optional := range r.Optional {
			notes = append(notes, fmt.Sprintf("%s: %s", r.Key, optional))
		}
	}
	for _, g := range s.Graphs {
		if !g.Ready && g.Message != "" {
			notes = append(notes, fmt.Sprintf("graph %s/%s: %s", g.Namespace, g.Name, g.Message))
		}
	}
	for _, o := range s.Orphans {
		notes = append(notes, fmt.Sprintf("release %s belongs to this fleet, but the file no longer names it; remove it with `wheelhouse apply --prune`", o.Key))
	}
	if len(notes) > 0 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return err
		}
	}
	return nil
}

// Ruins prints what a destroy will remove and what it will keep.
func Ruins(w io.Writer, r *rollout.Ruins) error {
	var rows [][]string
	fate := func(removed bool) string {
		if removed {
			return "removed"
		}
		return "kept"
	}
	for _, g := range r.Graphs {
		rows = append(rows, []string{"graph", g.Namespace + "/" + g.Name, fate(r.Options.WithGraphs), ""})
	}
	for _, release := range r.Releases {
		rows = append(rows, []string{"release", release.String(), "removed", fmt.Sprintf("revision %d, %s", release.Revision, release.Status)})
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.Claims), func(a, b fleet.Key) int { return strings.Compare(a.String(), b.String()) }) {
		for _, claim := range r.Claims[key] {
			rows = append(rows, []string{"volume claim", key.Namespace + "/" + claim, fate(r.Options.PurgeData), note(r.Options.PurgeData, "its data is deleted", "--purge-data removes it")})
		}
	}
	for _, crd := range slices.Sorted(maps.Keys(r.CRDs)) {
		rows = append(rows, []string{"CRD", crd, fate(r.Options.PurgeCRDs), note(r.Options.PurgeCRDs,
			fmt.Sprintf("and its %d objects, in all namespaces", r.CRDs[crd]), fmt.Sprintf("%d objects", r.CRDs[crd]))})
	}
	for _, ns := range r.Namespaces {
		rows = append(rows, []string{"namespace", ns, note(r.Options.PurgeNamespaces, "removed if ours and empty", "kept"), ""})
	}
	return Table(w, []string{"WHAT", "NAME", "FATE", "NOTE"}, rows)
}

func note(removed bool, ifSo, ifNot string) string {
	if removed {
		return ifSo
	}
	return ifNot
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

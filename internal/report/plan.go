package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// PlanTable prints what a plan does: one line per object, grouped by
// release, then what an upgrade changes in defaults, and the pods that restart.
func PlanTable(w io.Writer, p *rollout.Plan) error {
	if err := OwnershipTable(w, slices.Concat(p.Foreign(), p.Adoptions())); err != nil {
		return err
	}
	if p.Changes() {
		if _, err := fmt.Fprintln(w, wrap(w, planVerdict(p))+"\n"); err != nil {
			return err
		}
	}
	planSteps(w, p)
	defaultLines(w, p)
	restartLines(w, p)
	return planSummary(w, p)
}

// Warnings prints what has left the file, and what the API server warns of about
// changes that it accepts.
func Warnings(w io.Writer, p *rollout.Plan) error {
	if n := len(p.Orphans); n > 0 {
		names := make([]string, 0, n)
		for _, orphan := range p.Orphans {
			names = append(names, orphan.String())
		}
		if _, err := fmt.Fprintf(w, "warning: the file no longer names %s (%s); it stays, `wheelhouse apply --prune` removes it\n", count(n, "release"), few(names)); err != nil {
			return err
		}
	}
	for _, step := range p.Steps {
		if step.RecordSize != nil {
			if _, err := fmt.Fprintf(w, "warning: release %s: %s\n", step.Key, step.RecordSize); err != nil {
				return err
			}
		}
		for _, change := range step.Changes {
			for _, warning := range change.Warnings {
				if _, err := fmt.Fprintf(w, "warning: release %s: %s: %s\n", step.Key, change, warning); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// admitted tells what admission would do to objects that are as they should be.
func admitted(w io.Writer, p *rollout.Plan) error {
	var objects, fields []string
	for _, step := range p.Steps {
		for _, change := range step.Admitted {
			objects, fields = append(objects, change.String()), append(fields, change.Admission...)
		}
	}
	if len(objects) == 0 {
		return nil
	}
	slices.Sort(fields)
	note := fmt.Sprintf("note: policies, webhooks or defaults of the cluster would change %s on a write (%s; %s); that is no drift, and nothing is written for it",
		count(len(objects), "object"), few(objects), few(slices.Compact(fields)))
	_, err := fmt.Fprintln(w, wrap(w, note))
	return err
}

// OwnershipTable prints whose some objects are, and a command to look at each;
// nothing if there are none.
func OwnershipTable(w io.Writer, rows []rollout.Ownership) error {
	if len(rows) == 0 {
		return nil
	}
	if err := Table(w, ownershipHeader, ownershipCells(rows, "")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

var ownershipHeader = []string{"OBJECT", "WANTED BY", "IS", "OF", "BECAUSE", "LOOK AT IT"}

// ownershipCells are the rows of the table; quote is around commands.
func ownershipCells(rows []rollout.Ownership, quote string) [][]string {
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		look := r.Look
		if look != "" {
			look = quote + look + quote
		}
		cells = append(cells, []string{r.Object(), r.Release.String(), string(r.Standing), r.Owner, r.Reason, look})
	}
	return cells
}

// changeLines is one line per object, and one per field in a conflict.
func changeLines(c rollout.Change) []string {
	text := fmt.Sprintf("%-8s %s", c.Action, c)
	if c.Pods > 0 {
		text += " (replaces " + Count(c.Pods, "pod") + ")"
	}
	if len(c.Admission) > 0 {
		text += " (by admission: " + few(c.Admission) + ")"
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	lines := []string{text}
	for _, line := range c.Replacement.Lines() {
		lines = append(lines, "    "+line)
	}
	for _, conflict := range c.Conflicts {
		lines = append(lines, "    "+conflict.String())
	}
	for _, warning := range c.Warnings {
		lines = append(lines, "    warning: "+warning)
	}
	return lines
}

// planVerdict is the plan in one sentence: what becomes of how many releases.
func planVerdict(p *rollout.Plan) string {
	var changes, stays []rollout.Step
	for _, step := range p.Steps {
		switch {
		case step.Kind != rollout.StepRelease:
		case step.Action.Changes():
			changes = append(changes, step)
		default:
			stays = append(stays, step)
		}
	}
	return fmt.Sprintf("Fleet %s: %s.", p.Fleet, tally(slices.Concat(changes, stays), func(s rollout.Step) string {
		switch {
		case s.Action.Changes():
			return "to " + string(s.Action)
		case s.Action == rollout.ActionLater:
			return "left for later"
		default:
			return "unchanged"
		}
	}))
}

func planSummary(w io.Writer, p *rollout.Plan) error {
	counts, pods, unchanged := map[rollout.ChangeAction]int{}, 0, 0
	for _, step := range p.Steps {
		if step.Kind == rollout.StepRelease && !step.Action.Changes() {
			unchanged++
		}
		for _, change := range step.Changes {
			counts[change.Action]++
			pods += change.Pods
		}
	}
	for _, orphan := range p.Orphans {
		if _, err := fmt.Fprintf(w, "not in the file any more, left alone: release %s (`wheelhouse apply --prune` removes it)\n", orphan.Key); err != nil {
			return err
		}
	}
	if err := unproven(w, p.Unproven); err != nil {
		return err
	}
	if n := len(p.Adoptions()); n > 0 {
		if _, err := fmt.Fprintf(w, "%d releases or objects exist already; apply takes them over, as they are, with --adopt\n", n); err != nil {
			return err
		}
	}
	if err := admitted(w, p); err != nil {
		return err
	}
	if !p.Changes() {
		_, err := fmt.Fprintf(w, "No changes: %s.\n", state(unchanged, "release", "is as the file wants it", "are as the file wants them"))
		return err
	}
	replaced := ""
	if n := counts[rollout.ChangeReplace]; n > 0 {
		replaced = fmt.Sprintf("%d to replace, ", n)
	}
	summary := fmt.Sprintf("\n%d to create, %d to update, %s%d to delete; %s; %s.",
		counts[rollout.ChangeCreate], counts[rollout.ChangeUpdate], replaced, counts[rollout.ChangeDelete],
		state(pods, "pod", "is replaced", "are replaced"), state(unchanged, "release", "stays as it is", "stay as they are"))
	if _, err := fmt.Fprintln(w, wrap(w, summary)); err != nil || p.Blocked() != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Next: %s\n", p.Apply())
	return err
}

// coloured marks what goes and what comes in a diff.
func coloured(diff string, colours bool) string {
	if !colours {
		return diff
	}
	lines := strings.SplitAfter(diff, "\n")
	for i, line := range lines {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "-"):
			lines[i] = "\x1b[31m" + text + "\x1b[0m\n"
		case strings.HasPrefix(text, "+"):
			lines[i] = "\x1b[32m" + text + "\x1b[0m\n"
		}
	}
	return strings.Join(lines, "")
}

// unproven lists releases that say that they are of a fleet.
func unproven(w io.Writer, records []rollout.Record) error {
	for _, record := range records {
		if _, err := fmt.Fprintf(w, "claims to belong to fleet %s, not in its journal, left alone: release %s (helm -n %s get manifest %s)\n",
			record.Fleet, record.Key, record.Namespace, record.Name); err != nil {
			return err
		}
	}
	return nil
}

// PlanDiff prints a diff for each object that changes.
func PlanDiff(w io.Writer, p *rollout.Plan) error {
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			text := diff.Diff("live/"+change.String(), []byte(change.Before), "wanted/"+change.String(), []byte(change.After))
			// The first line repeats the two that follow.
			_, body, _ := strings.Cut(string(text), "\n")
			if _, err := io.WriteString(Bare(w), coloured(Clean(body), dims(w))); err != nil {
				return err
			}
		}
	}
	return planSummary(w, p)
}

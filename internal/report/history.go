package report

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// HistoryTable prints the revisions of a set.
func HistoryTable(w io.Writer, revisions []rollout.Revision) error {
	rows := make([][]string, 0, len(revisions))
	for _, r := range revisions {
		took := "-"
		if !r.Finished.IsZero() {
			took = Seconds(r.Finished.Sub(r.Started))
		}
		rows = append(rows, []string{
			strconv.Itoa(r.Number), r.Started.Format(time.DateTime), took, r.Status, r.Description,
			fmt.Sprintf("%d of %d", r.Changed(), len(r.Releases)), r.By,
		})
	}
	return Table(w, []string{"REVISION", "STARTED", "TOOK", "STATUS", "WHAT", "CHANGED", "BY"}, rows)
}

// Return prints what a rollback will do and what it cannot.
func Return(w io.Writer, r *rollout.Return) error {
	if err := OwnershipTable(w, r.Plan.Foreign()); err != nil {
		return err
	}
	for _, step := range r.Plan.Steps {
		if !step.Action.Changes() {
			continue
		}
		stepLines(w, step)
	}
	restartLines(w, r.Plan)
	for _, lost := range r.Lost {
		if _, err := fmt.Fprintln(w, "not restored:", lost); err != nil {
			return err
		}
	}
	return nil
}

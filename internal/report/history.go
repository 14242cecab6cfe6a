package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// HistoryTable prints the revisions of a set, and why some failed; wide also has
// who made them.
func HistoryTable(w io.Writer, revisions []rollout.Revision, wide bool) error {
	header := []string{"REV", "STARTED", "TOOK", "STATUS", "WHAT", "CHANGED"}
	if wide {
		header = append(header, "BY")
	}
	rows := make([][]string, 0, len(revisions))
	for _, r := range revisions {
		took := "-"
		if !r.Finished.IsZero() {
			took = Seconds(r.Finished.Sub(r.Started))
		}
		row := []string{
			strconv.Itoa(r.Number), r.Started.Format(time.DateTime), took, r.Standing(), r.Description,
			fmt.Sprintf("%d of %d", r.Changed(), len(r.Releases)),
		}
		if wide {
			row = append(row, r.By)
		}
		rows = append(rows, row)
	}
	if err := Table(uncut(w, wide), header, rows); err != nil {
		return err
	}
	before := "\n"
	for _, r := range revisions {
		if r.Cause == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s%s\n", before, wrap(w, fmt.Sprintf("%d %s: %s", r.Number, r.Status, oneLine(r.Cause, 400)))); err != nil {
			return err
		}
		before = ""
	}
	for _, r := range revisions {
		if r.Damage == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, wrap(w, "warning: "+r.Damage)); err != nil {
			return err
		}
	}
	return nil
}

// Rollback prints what a rollback will do and what it cannot.
func Rollback(w io.Writer, r *rollout.RollbackPlan) error {
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
	if err := waysBack(w, r.Ways()); err != nil {
		return err
	}
	for _, lost := range r.Lost {
		if _, err := fmt.Fprintln(w, "not restored:", lost); err != nil {
			return err
		}
	}
	return nil
}

// Returned is the last line of a rollback: where the fleet is now, and what the
// file still wants. Asked is what StillAsked tells; unread says that the file
// cannot be read.
func Returned(fleetName, file string, to, now int, waited bool, asked []rollout.Ask, unread error) string {
	ready := ", all ready"
	if !waited {
		ready = "; nothing was waited for"
	}
	text := fmt.Sprintf("Fleet %s is as in revision %d (now revision %d)%s.", fleetName, to, now, ready)
	switch {
	case unread != nil:
		return text + fmt.Sprintf(" %s has problems: mend them before the next apply, `wheelhouse validate` names them.", file)
	case len(asked) == 0:
		return text
	}
	var places []string
	for _, ask := range asked {
		for _, at := range ask.At {
			place := fmt.Sprintf("%s:%d", at.File, at.Line)
			if at.Line > 0 && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	where := few(keysOf(asked))
	if len(places) > 0 {
		where = few(places)
	}
	return text + fmt.Sprintf(" %s still asks for another state in %s: change it, or the next apply brings it back.", file, where)
}

func keysOf(asked []rollout.Ask) []string {
	var out []string
	for _, ask := range asked {
		out = append(out, "release "+ask.String())
	}
	return out
}

func byName(a, b fleet.Key) int { return strings.Compare(a.String(), b.String()) }

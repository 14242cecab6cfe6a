package report

import (
	"fmt"
	"io"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

// wayRow is one way, and the releases that go it.
type wayRow struct {
	rollout.Way
	releases []string
}

// UpgradeCheck prints what releases go from and to, those that go the same way once,
// and of what is not fine why, what to do by hand, and the next command.
func UpgradeCheck(w io.Writer, ways *rollout.Ways) error {
	rows := wayRows(ways)
	cells := make([][]string, len(rows))
	for i, row := range rows {
		cells[i] = []string{row.Chart, few(row.releases), orDash(row.From), orDash(row.To), string(row.Verdict)}
	}
	if len(rows) > 0 {
		if err := Table(w, []string{"CHART", "RELEASES", "FROM", "TO", "VERDICT"}, cells); err != nil {
			return err
		}
	}
	p := printer{w: w}
	for _, row := range rows {
		p.way(w, row)
	}
	if n := len(ways.New); n > 0 {
		p.line(0, "")
		p.line(0, "%s: nothing to go from.", state(n, "release", "is not installed", "are not installed"))
	}
	if len(rows) == 0 && len(ways.New) == 0 {
		p.line(0, "Nothing goes to another version.")
	}
	return p.err
}

// way explains one row that is not fine, or why it is called safe.
func (p *printer) way(w io.Writer, row wayRow) {
	switch row.Verdict {
	case transition.Unchanged:
		return
	case transition.Safe:
		p.line(0, "")
		p.line(0, "%s is safe: %s has gone that way.", row.Upgrade, row.Test)
		return
	}
	p.line(0, "")
	p.notFine(w, row)
	p.line(2, "Next: %s", row.Next(row.Verdict))
}

// notFine says why a way is not fine, and what it asks of people.
func (p *printer) notFine(w io.Writer, row wayRow) {
	p.line(0, "%s", wrap(w, fmt.Sprintf("%s is %s: %s.", row.Upgrade, row.Verdict, row.Because)))
	for i, step := range row.Steps {
		p.line(2, "%d. %s", i+1, step)
	}
}

// waysBack warns of the ways that a rollback goes and that are not fine, alike ones once.
func waysBack(w io.Writer, ways *rollout.Ways) error {
	p := printer{w: w}
	for _, row := range wayRows(ways) {
		if !row.Verdict.Fine() {
			p.line(0, "warning: the way back of %s:", few(row.releases))
			p.notFine(w, row)
		}
	}
	return p.err
}

func wayRows(ways *rollout.Ways) (rows []wayRow) {
	type shown struct {
		check.Upgrade
		because string
	}
	at := map[shown]int{}
	for _, way := range ways.Ways {
		same := shown{way.Upgrade, way.Because}
		same.Release.Namespace, same.Release.Name = "", ""
		i, seen := at[same]
		if !seen {
			i = len(rows)
			at[same], rows = i, append(rows, wayRow{Way: way})
		}
		rows[i].releases = append(rows[i].releases, way.Release.String())
	}
	return rows
}

// Package report is how people and machines read what the manager knows:
// tables, progress, JSON. It writes to what it is given and asks nothing.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"k8s.io/apimachinery/pkg/util/duration"
)

// gap is between two columns of a table.
const gap = 3

// Table prints rows under a header, in aligned columns. A row is one line: on a
// screen, cells are cut to what it has room for.
func Table(w io.Writer, header []string, rows [][]string) error {
	all := make([][]string, 0, len(rows)+1)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.Join(strings.Fields(Clean(cell)), " ")
		}
		all = append(all, cells)
	}
	widths := widthsOf(all, columns(w))
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			cell = runewidth.Truncate(cell, widths[i], "…")
			line.WriteString(cell + strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell)+gap))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// narrowest is how far a column is narrowed for the sake of the others.
const narrowest = 8

// widthsOf shares the cells of a screen among columns: the widest gives first.
// A width of 0 means that there is room for all.
func widthsOf(rows [][]string, width int) []int {
	widths := make([]int, len(rows[0]))
	total := gap * (len(widths) - 1)
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], runewidth.StringWidth(row[i]))
		}
		total += widths[i]
	}
	// The last cell of a screen stays empty: some terminals wrap behind it.
	for width > 0 && total > width-1 {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			break
		}
		widths[widest]--
		total--
	}
	return widths
}

// JSON prints a value for machines.
func JSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// Age writes how long ago something was, as kubectl does.
func Age(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return duration.HumanDuration(time.Since(t))
}

// Seconds writes a duration for people: 0.4s, 12.0s, 3m05s.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Watch shows a status again and again: on a terminal the tables are redrawn in
// place; elsewhere each change is a line, and with JSON each status that differs.
type Watch struct {
	out      io.Writer
	terminal bool
	json     bool
	// last is what was said of each thing, by its name.
	last map[string]string
	// failed is the last failure that was told.
	failed string
}

// NewWatch shows on w.
func NewWatch(w io.Writer, asJSON bool) *Watch {
	return &Watch{out: w, terminal: IsTerminal(w) && !asJSON, json: asJSON, last: map[string]string{}}
}

// Show shows the status as it is now.
func (w *Watch) Show(s *rollout.Status, now time.Time) error {
	w.failed = ""
	switch {
	case w.json:
		return w.document(s)
	case w.terminal:
		return w.redraw(s, now)
	default:
		return w.lines(s, now)
	}
}

// Fail tells, once, why the status cannot be read; watching goes on.
func (w *Watch) Fail(err error, now time.Time) error {
	if err.Error() == w.failed || w.json {
		return nil
	}
	w.failed = err.Error()
	_, err = fmt.Fprintf(w.out, "%s %v; trying again\n", now.Format(time.TimeOnly), err)
	return err
}

func (w *Watch) document(s *rollout.Status) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if w.last[""] == string(data) {
		return nil
	}
	w.last[""] = string(data)
	_, err = fmt.Fprintf(w.out, "%s\n", data)
	return err
}

// redraw writes over what is there and clears only the rest, so that nothing
// flickers.
func (w *Watch) redraw(s *rollout.Status, now time.Time) error {
	var tables bytes.Buffer
	if err := StatusTables(&tables, s); err != nil {
		return err
	}
	text := fmt.Sprintf("Fleet %s at %s. Ctrl-C ends.\n\n%s", s.Fleet, now.Format(time.TimeOnly), tables.String())
	_, err := io.WriteString(w.out, "\x1b[H"+strings.ReplaceAll(text, "\n", "\x1b[K\n")+"\x1b[J")
	return err
}

// lines tells what is new: at first everything.
func (w *Watch) lines(s *rollout.Status, now time.Time) error {
	current := map[string]string{}
	var order []string
	say := func(name, text string) {
		order = append(order, name)
		current[name] = text
	}
	for _, r := range s.Releases {
		say("release "+r.String(), releaseLine(r, now))
	}
	for _, g := range s.Graphs {
		say("graph "+g.Namespace+"/"+g.Name, graphLine(g))
	}
	for name := range w.last {
		if _, still := current[name]; !still {
			say(name, "gone")
		}
	}
	var b strings.Builder
	for _, name := range order {
		if w.last[name] != current[name] {
			fmt.Fprintf(&b, "%s %s: %s\n", now.Format(time.TimeOnly), name, current[name])
		}
		if current[name] == "gone" {
			delete(current, name)
		}
	}
	w.last = current
	_, err := io.WriteString(w.out, b.String())
	return err
}

func releaseLine(r rollout.ReleaseStatus, now time.Time) string {
	parts := []string{r.Status}
	if r.Revision > 0 {
		parts = append(parts, fmt.Sprintf("revision %d", r.Revision))
	}
	if r.Status != "missing" {
		if r.Gate == "" {
			parts = append(parts, "ready")
		} else {
			parts = append(parts, "waits: "+r.Gate)
		}
		if r.Drift != "" {
			parts = append(parts, "drift: "+r.Drift)
		}
	}
	if c := r.Certificate(); c != nil && c.Warning(now) != "" {
		parts = append(parts, c.Warning(now))
	}
	return strings.Join(parts, ", ")
}

func graphLine(g rollout.Graph) string {
	if g.Ready {
		return "ready"
	}
	text := "not ready"
	for _, more := range []string{g.Reason, g.Message} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

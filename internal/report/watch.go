package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Watch shows a status again and again: on a terminal the tables are redrawn in
// place; elsewhere each change is a line, and with JSON each status that differs.
type Watch struct {
	out      io.Writer
	terminal bool
	json     bool
	// cleared says that the screen is the watch's.
	cleared bool
	// last is what was said of each thing, by its name.
	last map[string]string
	// failed is the last failure that was told.
	failed string
}

// NewWatch shows on w.
func NewWatch(w io.Writer, asJSON bool) *Watch {
	w = Bare(w)
	return &Watch{out: w, terminal: redraws(w) && !asJSON, json: asJSON, last: map[string]string{}}
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
	width, height := screenSize(w.out)
	if err := Status(Screen{&tables, width}, s, false); err != nil {
		return err
	}
	text := fmt.Sprintf("%s, Ctrl-C ends. %s", now.Format(time.TimeOnly), tables.String())
	text = strings.ReplaceAll(clip(text, width, height), "\n", "\x1b[K\n")
	if !w.cleared {
		text = "\x1b[2J\x1b[H" + text
		w.cleared = true
	} else {
		text = "\x1b[H" + text
	}
	_, err := io.WriteString(w.out, text+"\x1b[J")
	return err
}

// clip keeps the lines that a screen can show without scrolling, because what
// has scrolled away cannot be written over. The last row is the cursor's.
func clip(text string, width, height int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	room := height - 1
	for i, line := range lines {
		rows := max(1, (runewidth.StringWidth(line)+width-1)/width)
		if last := i == len(lines)-1; rows > room || rows == room && !last {
			return strings.Join(lines[:i], "") + fmt.Sprintf("... and %d more lines\n", len(lines)-i)
		}
		room -= rows
	}
	return text
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
	for _, a := range s.Agents {
		say("agent "+a.Namespace+"/"+a.Pod, agentLine(a))
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
	_, err := io.WriteString(w.out, Clean(b.String()))
	return err
}

func agentLine(a rollout.Agent) string {
	if a.Ready {
		return "ready on node " + a.Node
	}
	return strings.TrimSuffix("not ready on node "+a.Node+": "+a.Message, ": ")
}

func releaseLine(r rollout.ReleaseStatus, now time.Time) string {
	parts := []string{string(r.Status)}
	if r.Revision > 0 {
		parts = append(parts, fmt.Sprintf("revision %d", r.Revision))
	}
	if r.Status != "missing" {
		if r.Gate == "" {
			parts = append(parts, "ready")
		} else {
			parts = append(parts, "waits: "+r.Gate)
		}
		if r.Differs != "" {
			parts = append(parts, "differs: "+r.Differs)
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

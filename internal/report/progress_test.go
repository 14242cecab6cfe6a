package report

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/test/terminal"
)

// capable makes this a terminal that can do all, whoever runs the tests.
func capable(t *testing.T) {
	t.Helper()
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "")
}

// busy begins steps whose names and messages are wider than any window.
func busy(p *Progress, steps int) (end func()) {
	var all []rollout.Event
	for i := range steps {
		e := rollout.Event{
			Step:  rollout.Step{ID: fmt.Sprintf("ready: team-with-a-long-name-%02d/dynamo-platform", i), Kind: rollout.StepGate, Action: rollout.ActionWait},
			State: rollout.StateStarted, Time: time.Now(),
		}
		p.Notify(e)
		e.State, e.Message = rollout.StateProgress, "Deployment dynamo-platform-controller-manager: 部署尚未就绪 has 0 of 1 replicas;\n\x1b[2Jits last event says that it waits"
		p.Notify(e)
		all = append(all, e)
	}
	return func() {
		for _, e := range all {
			e.State, e.Elapsed = rollout.StateDone, time.Second
			p.Notify(e)
		}
	}
}

var times = regexp.MustCompile(`(?m)^ +[0-9.]+s`)

// However small the window is, what runs stays in it, a row each, and nothing
// of it is left at the end: not even when keys were pressed meanwhile.
func TestProgressStaysInTheWindow(t *testing.T) {
	for _, window := range []struct{ columns, rows, shown uint16 }{{80, 24, 8}, {200, 50, 8}, {40, 10, 7}, {18, 6, 3}} {
		t.Run(fmt.Sprintf("%dx%d", window.columns, window.rows), func(t *testing.T) {
			capable(t)
			screen := terminal.Open(t, window.columns, window.rows)
			p := NewProgress(screen.Stream)
			p.Say("begin")
			end := busy(p, 12)
			screen.Await(t, "... and")
			lines := strings.Split(screen.Screen(), "\n")
			if len(lines) != int(window.shown)+2 || !strings.HasSuffix(lines[0], "  begin") {
				t.Errorf("%d rows:\n%s", len(lines), strings.Join(lines, "\n"))
			}
			for _, line := range lines {
				if cells := runewidth.StringWidth(line); cells >= int(window.columns) {
					t.Errorf("%d cells: %s", cells, line)
				}
			}
			screen.Type(t, "abc")
			screen.Await(t, "abc")
			end()
			p.Say("end")
			p.Close()
			want := "begin\n"
			for i := range 12 {
				want += fmt.Sprintf("ready: team-with-a-long-name-%02d/dynamo-platform: open (1.0s)\n", i)
			}
			want += "end\n"
			got := times.ReplaceAllString(screen.Settled(t), "")
			// Lines that stay are whole: the terminal wraps them.
			unwrapped := strings.NewReplacer(" ", "", "\n", "")
			if diff := cmp.Diff(unwrapped.Replace(want), unwrapped.Replace(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What runs is dimmed, but for somebody who wants no colours; a terminal that
// knows nothing of the kind, and a file, get lines only.
func TestProgressRespectsTheTerminal(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string
		redraws, dims         bool
	}{
		{"capable", "NO_COLOR", "", true, true},
		{"no colour", "NO_COLOR", "1", true, false},
		{"no colour, whatever is said", "NO_COLOR", "false", true, false},
		{"dumb", "TERM", "dumb", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			capable(t)
			t.Setenv(test.variable, test.value)
			screen := terminal.Open(t, 80, 24)
			p := NewProgress(screen.Stream)
			busy(p, 2)()
			p.Close()
			screen.Settled(t)
			written := screen.Written()
			if got := strings.Contains(written, "\x1b[2m"); got != test.dims {
				t.Errorf("dimmed: %t\n%q", got, written)
			}
			if got := strings.Contains(written, "\x1b[J"); got != test.redraws {
				t.Errorf("redrawn: %t\n%q", got, written)
			}
			if !test.redraws && strings.Contains(written, "\x1b") {
				t.Errorf("not only lines: %q", written)
			}
		})
	}
}

func TestProgressIsLinesInAFile(t *testing.T) {
	capable(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	p := NewProgress(file)
	busy(p, 1)()
	p.Close()
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := "   0.0s  ready: team-with-a-long-name-00/dynamo-platform: open (1.0s)\n"; string(data) != want {
		t.Errorf("%q", data)
	}
}

// A program that writes to the same terminal meanwhile loses nothing of it.
func TestProgressOfLinesLeavesTheRestAlone(t *testing.T) {
	capable(t)
	screen := terminal.Open(t, 80, 24)
	p := NewProgress(screen.Stream)
	p.Begin("reading the cluster")
	screen.Await(t, "reading the cluster")
	p.Lines()
	end := busy(p, 2)
	fmt.Fprintln(screen.Stream, `{"step":"of somebody else"}`)
	end()
	p.Close()
	got := screen.Settled(t)
	if !strings.HasPrefix(got, `{"step":"of somebody else"}`) || strings.Count(got, "open (1.0s)") != 2 {
		t.Error(got)
	}
}

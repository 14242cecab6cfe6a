package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/terminal"
)

// onTerminal starts wheelhouse as a person does, on a terminal that sends it
// Ctrl-C, and returns a function that waits for its exit code.
func onTerminal(t *testing.T, screen *terminal.Terminal, args ...string) (wait func() int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	command := exec.CommandContext(ctx, filepath.Join(tools, "wheelhouse"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig, "TERM=xterm", "NO_COLOR=")
	command.Stdin, command.Stdout, command.Stderr = screen.Stream, screen.Stream, screen.Stream
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return func() int {
		t.Helper()
		err := command.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
			t.Fatalf("%v\n%s", err, screen.Screen())
		}
		return command.ProcessState.ExitCode()
	}
}

// What is not consent changes nothing and ends at once, Ctrl-C included, which
// nobody has to follow by Enter.
func TestQuestionsOnATerminal(t *testing.T) {
	charts, err := filepath.Abs("testdata/charts")
	if err != nil {
		t.Fatal(err)
	}
	fleet := writeFleet(t, fmt.Sprintf(`metadata: {name: terminal}
spec:
  charts: {crds: %s/crds, platform: %s/platform}
  crds: {namespace: terminal-crds}
  values: [{crds: {group: terminal.example.com}, platform: {group: terminal.example.com}}]
  platforms: [{namespace: terminal-team-with-a-name-that-is-rather-long-for-a-window}, {namespace: terminal-b}, {namespace: terminal-c}]
`, charts, charts))
	apply := terminal.Open(t, 80, 24)
	if code := onTerminal(t, apply, "apply", "-f", fleet)(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, apply.Settled(t))
	}
	if text := apply.Settled(t); strings.Contains(text, " | ") || strings.Contains(text, "reading the cluster") {
		t.Errorf("what ran is still shown:\n%s", text)
	}
	for _, test := range []struct{ name, keys, says string }{
		{"Ctrl-C", terminal.CtrlC, "Error: stopped on request before anything was changed"},
		{"Ctrl-D", terminal.CtrlD, "Error: nothing was done: not confirmed"},
		{"Enter", terminal.Enter, "Error: nothing was done: not confirmed"},
		{"yes", "yes" + terminal.Enter, "Error: nothing was done: not confirmed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := writes(t, shared)
			screen := terminal.Open(t, 80, 24)
			wait := onTerminal(t, screen, "destroy", "-f", fleet)
			screen.Await(t, "Type the name of the fleet (terminal) to confirm:")
			screen.Type(t, test.keys)
			if code := wait(); code != 1 {
				t.Errorf("exit code %d", code)
			}
			lines := strings.Split(screen.Settled(t), "\n")
			if last := lines[len(lines)-1]; last != test.says {
				t.Errorf("it ends with %q:\n%s", last, screen.Screen())
			}
			if after := writes(t, shared); after != before {
				t.Errorf("%d requests wrote something", after-before)
			}
		})
	}
	screen := terminal.Open(t, 80, 24)
	wait := onTerminal(t, screen, "destroy", "-f", fleet)
	screen.Await(t, "to confirm:")
	screen.Type(t, "terminal"+terminal.Enter)
	if code := wait(); code != 0 || !strings.Contains(screen.Settled(t), "\nDone. Kept:") {
		t.Errorf("exit code %d\n%s", code, screen.Screen())
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/test/terminal"
)

var dangerous = rollout.Question{About: "3 objects are deleted", Flag: "--yes"}

const asks = "3 objects are deleted.\nType the name of the fleet (prod) to confirm:"

// Only the name of the fleet, and Enter, is consent.
func TestOnlyTheNameIsConsent(t *testing.T) {
	for _, test := range []struct {
		name, keys string
		consents   bool
	}{
		{"the name", "prod" + terminal.Enter, true},
		{"the name between spaces", "  prod " + terminal.Enter, true},
		{"the name, corrected", "prof\x7fd" + terminal.Enter, true},
		{"yes", "yes" + terminal.Enter, false},
		{"another name", "production" + terminal.Enter, false},
		{"Enter", terminal.Enter, false},
		{"the end", terminal.CtrlD, false},
		{"the name without Enter", "prod" + terminal.CtrlD + terminal.CtrlD, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			screen := terminal.Open(t, 80, 24)
			a := &app{in: screen.Stream, out: &bytes.Buffer{}, err: screen.Stream}
			answer := make(chan error)
			go func() { answer <- a.ask(t.Context(), "prod", dangerous) }()
			screen.Await(t, asks)
			screen.Type(t, test.keys)
			err := <-answer
			if test.consents != (err == nil) || err != nil && err.Error() != "nothing was done: not confirmed" {
				t.Errorf("%v", err)
			}
			// What comes next, begins a line.
			if text := screen.Settled(t); strings.Count(screen.Written(), "\n") != 3 {
				t.Errorf("%q", text)
			}
		})
	}
}

// A stop ends the question, although nobody presses Enter.
func TestAStopEndsTheQuestion(t *testing.T) {
	screen := terminal.Open(t, 80, 24)
	a := &app{in: screen.Stream, out: &bytes.Buffer{}, err: screen.Stream}
	ctx, stop := context.WithCancelCause(t.Context())
	answer := make(chan error)
	go func() { answer <- a.ask(ctx, "prod", dangerous) }()
	screen.Await(t, asks)
	stop(rollout.ErrStopped)
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if text := screen.Settled(t); strings.Count(screen.Written(), "\n") != 3 {
		t.Errorf("%q", text)
	}
	screen.Type(t, terminal.Enter)
}

// Without a terminal to ask on and one to answer on, the flag is wanted.
func TestAskingNeedsATerminal(t *testing.T) {
	const refusal = "nothing was done: 3 objects are deleted, and there is no terminal to ask on, confirm with --yes"
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(read.Close(), write.Close()) })
	if _, err := write.WriteString("prod\n"); err != nil {
		t.Fatal(err)
	}
	screen := terminal.Open(t, 80, 24)
	for name, a := range map[string]*app{
		"the answer comes from a pipe": {in: read, out: screen.Stream, err: screen.Stream},
		"nobody sees the question":     {in: screen.Stream, out: screen.Stream, err: write},
		"neither":                      {in: strings.NewReader("prod\n"), out: &bytes.Buffer{}, err: &bytes.Buffer{}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := a.ask(t.Context(), "prod", dangerous); err == nil || err.Error() != refusal {
				t.Errorf("%v", err)
			}
		})
	}
	if text := screen.Settled(t); text != "" {
		t.Errorf("a question was asked: %s", text)
	}
}

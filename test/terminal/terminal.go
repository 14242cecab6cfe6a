// Package terminal gives tests a terminal of a person: one that is typed into
// and looked at.
package terminal

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// Keys that a terminal turns into something else than text.
const (
	Enter = "\r"
	CtrlC = "\x03"
	CtrlD = "\x04"
)

// Terminal is a pseudo-terminal with a screen.
type Terminal struct {
	// Stream is what a program has for stdin, stdout and stderr.
	Stream *os.File

	keyboard *os.File
	mutex    sync.Mutex
	written  strings.Builder
	changed  chan struct{}
	screen   *screen
}

// Open makes a terminal of so many columns and rows for one test.
func Open(t testing.TB, columns, rows uint16) *Terminal {
	t.Helper()
	keyboard, stream, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(stream, &pty.Winsize{Cols: columns, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	terminal := &Terminal{Stream: stream, keyboard: keyboard, changed: make(chan struct{}, 1), screen: newScreen(int(columns), int(rows))}
	go terminal.show()
	t.Cleanup(func() {
		if err := errors.Join(stream.Close(), keyboard.Close()); err != nil {
			t.Error(err)
		}
	})
	return terminal
}

// show draws what is written, until the terminal is closed.
func (t *Terminal) show() {
	buffer := make([]byte, 4096)
	for {
		n, err := t.keyboard.Read(buffer)
		if err != nil {
			return
		}
		t.mutex.Lock()
		t.written.Write(buffer[:n])
		t.screen.write(buffer[:n])
		t.mutex.Unlock()
		select {
		case t.changed <- struct{}{}:
		default:
		}
	}
}

// Type presses keys.
func (t *Terminal) Type(tb testing.TB, keys string) {
	tb.Helper()
	if _, err := t.keyboard.WriteString(keys); err != nil {
		tb.Fatal(err)
	}
}

// Await waits until the screen shows a text.
func (t *Terminal) Await(tb testing.TB, text string) {
	tb.Helper()
	t.until(tb, text, func() bool { return strings.Contains(t.Screen(), text) })
}

// Settled is the screen after all that was written so far: a bell, which shows
// nothing, comes last.
func (t *Terminal) Settled(tb testing.TB) string {
	tb.Helper()
	before := strings.Count(t.Written(), "\a")
	if _, err := t.Stream.WriteString("\a"); err != nil {
		tb.Fatal(err)
	}
	t.until(tb, "the bell", func() bool { return strings.Count(t.Written(), "\a") > before })
	return t.Screen()
}

func (t *Terminal) until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	deadline := time.After(time.Minute)
	for !done() {
		select {
		case <-t.changed:
		case <-deadline:
			tb.Fatalf("%q did not appear:\n%s", what, t.Screen())
		}
	}
}

// Screen is what there is to see, and what has scrolled off above it, without
// trailing spaces and lines.
func (t *Terminal) Screen() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.screen.String()
}

// Written is all that was ever written, with what controls the terminal.
func (t *Terminal) Written() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.written.String()
}

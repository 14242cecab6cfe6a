// Package progress tells a person which step runs and for how long.
package progress

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"
)

// startVariable hands the time at which the command began to a child that continues its report.
const startVariable = "DRYDOCK_STARTED_MS"

// Printer writes one line per step, each with the seconds since the command began.
// On a terminal the last line is live.
type Printer struct {
	out   io.Writer
	live  bool
	start time.Time
	mutex sync.Mutex
	dirty bool // the cursor stands behind a live line
}

// New returns a printer to out; it is live when out is a terminal.
func New(out io.Writer) *Printer {
	file, isFile := out.(*os.File)
	p := &Printer{out: out, live: isFile && term.IsTerminal(int(file.Fd())), start: time.Now()}
	if ms, err := strconv.ParseInt(os.Getenv(startVariable), 10, 64); err == nil {
		p.start = time.UnixMilli(ms)
	}
	return p
}

// Environ is what a child needs in its environment to count from the same start.
func (p *Printer) Environ() string {
	return fmt.Sprintf("%s=%d", startVariable, p.start.UnixMilli())
}

// Elapsed is the time since the command began.
func (p *Printer) Elapsed() time.Duration { return time.Since(p.start) }

// Step prints a line that stays.
func (p *Printer) Step(format string, args ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.clear()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", p.Elapsed().Seconds(), fmt.Sprintf(format, args...))
}

// Live replaces the live line; without a terminal it prints nothing.
func (p *Printer) Live(format string, args ...any) {
	if !p.live {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.clear()
	fmt.Fprintf(p.out, "%6.1fs  %s", p.Elapsed().Seconds(), fmt.Sprintf(format, args...))
	p.dirty = true
}

// IsLive reports whether Live prints.
func (p *Printer) IsLive() bool { return p.live }

func (p *Printer) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}

package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Progress prints what a rollout does while it does it: a line per change of
// state, and on a terminal also what runs right now. It is never silent for
// more than two seconds at first, ten later.
type Progress struct {
	mutex   sync.Mutex
	out     io.Writer
	live    bool
	dim     bool
	started time.Time
	// running holds the latest message of each step that has begun, in order.
	running []*active
	painted int
	spoke   time.Time
	quiet   time.Duration
	stop    chan struct{}
	stopped sync.WaitGroup
}

type active struct {
	id, message string
	since       time.Time
}

// NewProgress starts printing to w. Close ends it.
func NewProgress(w io.Writer) *Progress {
	w = Bare(w)
	p := &Progress{
		out: w, live: redraws(w), dim: dims(w), started: time.Now(), spoke: time.Now(),
		quiet: 2 * time.Second, stop: make(chan struct{}),
	}
	p.stopped.Go(p.tick)
	return p
}

// Lines keeps a terminal to lines too, for when others write to it meanwhile:
// what they write would be taken for what is to be redrawn.
func (p *Progress) Lines() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.erase()
	p.live = false
}

// Say prints one line that belongs to no step.
func (p *Progress) Say(format string, args ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.line(fmt.Sprintf(format, args...))
}

// Begin shows an activity that is not a step, such as reading the cluster,
// until the returned function is called.
func (p *Progress) Begin(what string) func() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	a := &active{id: what, since: time.Now()}
	p.running = append(p.running, a)
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.finish(a.id)
		p.repaint()
	}
}

// Notify prints an event of a rollout.
func (p *Progress) Notify(e rollout.Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch e.State {
	case rollout.StateStarted:
		p.running = append(p.running, &active{id: e.Step.ID, since: e.Time})
		if e.Step.Action.Changes() && !p.live {
			p.line(withReason(e.Step.ID+": "+string(e.Step.Action), e.Message))
		}
	case rollout.StateProgress:
		if a := p.find(e.Step.ID); a != nil {
			a.message = e.Message
		}
		// What passes within a second is not worth a line.
		if !p.live && e.Elapsed > time.Second {
			p.line(e.Step.ID + ": " + e.Message)
		}
	default:
		p.finish(e.Step.ID)
		if text := ending(e); text != "" {
			p.line(text)
		}
		for _, left := range e.Record.Left {
			p.line(e.Step.ID + ": left alone: " + left)
		}
	}
	p.repaint()
}

// ending is the last line of a step; steps with nothing to say have none.
func ending(e rollout.Event) string {
	switch {
	case e.State == rollout.StateFailed:
		return fmt.Sprintf("%s: FAILED after %s: %s", e.Step.ID, Seconds(e.Elapsed), e.Message)
	case e.State == rollout.StateSkipped:
		return fmt.Sprintf("%s: %s", e.Step.ID, e.Message)
	case e.Step.Kind == rollout.StepGate && e.Note != "":
		return fmt.Sprintf("%s: open (%s); %s", e.Step.ID, Seconds(e.Elapsed), e.Note)
	case e.Step.Kind == rollout.StepGate && e.Elapsed < 100*time.Millisecond:
		return ""
	case e.Step.Kind == rollout.StepGate:
		return fmt.Sprintf("%s: open (%s)", e.Step.ID, Seconds(e.Elapsed))
	case e.Step.Kind == rollout.StepWave:
		return e.Step.ID + ": all of it is ready"
	case e.Step.Action == rollout.ActionUnchanged, e.Step.Action == rollout.ActionLater:
		return ""
	case e.Note != "":
		return fmt.Sprintf("%s: %s", e.Step.ID, e.Note)
	case e.Record.Revision > 0 && e.Step.Action != rollout.ActionUninstall:
		return fmt.Sprintf("%s: %s, revision %d (%s)", e.Step.ID, e.Record.Status, e.Record.Revision, Seconds(e.Elapsed))
	default:
		return fmt.Sprintf("%s: done (%s)", e.Step.ID, Seconds(e.Elapsed))
	}
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + " (" + reason + ")"
}

// Pause clears what is running from view, to make room for other output.
func (p *Progress) Pause() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.running = nil
	p.erase()
}

// Close stops printing.
func (p *Progress) Close() {
	close(p.stop)
	p.stopped.Wait()
	p.Pause()
}

func (p *Progress) tick() {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mutex.Lock()
			p.heartbeat()
			p.mutex.Unlock()
		}
	}
}

// heartbeat repaints a terminal; elsewhere it breaks a long silence.
func (p *Progress) heartbeat() {
	if p.live {
		p.repaint()
		return
	}
	if len(p.running) == 0 || time.Since(p.spoke) < p.quiet {
		return
	}
	oldest := p.running[0]
	text := fmt.Sprintf("still busy: %s (%s)", oneLine(oldest.describe(), 160), Seconds(time.Since(oldest.since)))
	if more := len(p.running) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	p.line(text)
	p.quiet = 10 * time.Second
}

func (a *active) describe() string {
	if a.message == "" {
		return a.id
	}
	return a.id + ": " + a.message
}

func (p *Progress) find(id string) *active {
	for _, a := range p.running {
		if a.id == id {
			return a
		}
	}
	return nil
}

func (p *Progress) finish(id string) {
	for i, a := range p.running {
		if a.id == id {
			p.running = append(p.running[:i], p.running[i+1:]...)
			return
		}
	}
}

// longestLine is how much of a message a line of progress tells, in runes: the
// error at the end has all of it.
const longestLine = 300

// line prints one permanent line with the time since the start.
func (p *Progress) line(text string) {
	fmt.Fprintf(p.out, "%s%7s  %s\n", p.erasure(), Seconds(time.Since(p.started)), oneLine(text, longestLine))
	p.spoke, p.quiet = time.Now(), 2*time.Second
}

// mostShown is how many running steps a terminal shows.
const mostShown = 8

// repaint redraws the running steps below the permanent lines, in one write so
// that nothing flickers and no signal finds it half-done.
func (p *Progress) repaint() {
	if !p.live {
		return
	}
	frame := p.erasure()
	width, height := screenSize(p.out)
	// What has scrolled off the screen cannot be redrawn.
	shown := max(1, min(mostShown, height-3))
	for i, a := range p.running {
		text := fmt.Sprintf("%7s  %s %s", Seconds(time.Since(a.since)), spinner(), a.describe())
		if i == shown {
			text = fmt.Sprintf("%7s  ... and %d more", "", len(p.running)-shown)
		}
		text = fit(text, width)
		if p.dim {
			text = "\x1b[2m" + text + "\x1b[0m"
		}
		frame += text + "\n"
		p.painted++
		if i == shown {
			break
		}
	}
	_, _ = io.WriteString(p.out, frame)
}

func (p *Progress) erase() { _, _ = io.WriteString(p.out, p.erasure()) }

// erasure takes back what is painted. The cursor may have left its column: a
// terminal shows what is typed, such as ^C.
func (p *Progress) erasure() string {
	if p.painted == 0 {
		return ""
	}
	rows := p.painted
	p.painted = 0
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows)
}

func spinner() string {
	frames := []string{"|", "/", "-", "\\"}
	return frames[time.Now().UnixMilli()/200%int64(len(frames))]
}

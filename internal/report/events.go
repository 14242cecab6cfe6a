package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Events writes what a rollout does as JSON, one object per line: a line of
// type "step" for each change of a step's state, at last one of type "result".
type Events struct {
	mutex sync.Mutex
	out   *json.Encoder
	// failed is the first error of writing.
	failed error
}

// NewEvents writes to w.
func NewEvents(w io.Writer) *Events { return &Events{out: json.NewEncoder(w)} }

// StepEvent is one line about a step.
type StepEvent struct {
	Type   string           `json:"type"`
	Time   time.Time        `json:"time"`
	Step   string           `json:"step"`
	Kind   rollout.StepKind `json:"kind"`
	Action rollout.Action   `json:"action"`
	State  rollout.State    `json:"state"`
	// Message says why the step is needed, what it waits for, or why it failed.
	Message string `json:"message,omitempty"`
	// Seconds is the time since the step began.
	Seconds float64 `json:"seconds"`
	// Namespace and Release are set for steps about a release, Revision is its
	// Helm revision after the step.
	Namespace string `json:"namespace,omitempty"`
	Release   string `json:"release,omitempty"`
	Revision  int    `json:"revision,omitempty"`
	// Left lists what a step should have deleted and did not, and why.
	Left []string `json:"left,omitempty"`
}

// Notify writes an event of a rollout.
func (e *Events) Notify(event rollout.Event) {
	e.write(StepEvent{
		Type: "step", Time: event.Time, Step: event.Step.ID, Kind: event.Step.Kind, Action: event.Step.Action, State: event.State,
		Message: event.Message, Seconds: event.Elapsed.Seconds(),
		Namespace: event.Step.Key.Namespace, Release: event.Step.Key.Name, Revision: event.Record.Revision,
		Left: event.Record.Left,
	})
}

// Result writes the last line. It returns the first error of all writes.
func (e *Events) Result(r *rollout.Result) error {
	e.write(struct {
		Type string    `json:"type"`
		Time time.Time `json:"time"`
		Run
	}{"result", time.Now(), NewRun(r)})
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.failed
}

func (e *Events) write(line any) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if err := e.out.Encode(line); err != nil && e.failed == nil {
		e.failed = err
	}
}

// CriticalPath says in one line which chain of steps took the time; empty where
// nothing took any.
func CriticalPath(r *rollout.Result) string {
	const worthTelling = 50 * time.Millisecond
	var parts []string
	var end time.Time
	for _, o := range r.CriticalPath() {
		if wait := o.Started.Sub(end); !end.IsZero() && wait > worthTelling {
			parts = append(parts, "its turn "+Seconds(wait))
		}
		end = o.Started.Add(o.Took)
		if o.Took >= worthTelling {
			parts = append(parts, o.Step.ID+" "+Seconds(o.Took))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("critical path of %s: %s", Seconds(r.Took()), strings.Join(parts, ", "))
}

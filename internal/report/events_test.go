package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func TestEventsAreOneObjectPerLine(t *testing.T) {
	var out bytes.Buffer
	events := NewEvents(&out)
	step := rollout.Step{ID: "release a/p", Kind: rollout.StepRelease, Action: rollout.ActionInstall, Key: fleet.Key{Namespace: "a", Name: "p"}}
	events.Notify(rollout.Event{Time: time.Unix(0, 0).UTC(), Step: step, State: rollout.StateFailed, Message: "boom", Elapsed: 1500 * time.Millisecond})
	result := &rollout.Result{Outcomes: []rollout.Outcome{{Step: step, State: rollout.StateFailed, Err: errors.New("boom")}}}
	if err := events.Result(result); err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	want := `{"type":"step","time":"1970-01-01T00:00:00Z","step":"release a/p","kind":"release","action":"install","state":"failed",` +
		`"message":"boom","seconds":1.5,"namespace":"a","release":"p"}`
	if diff := cmp.Diff(want, string(lines[0])); diff != "" {
		t.Error(diff)
	}
	var last struct {
		Type     string
		Releases []ReleaseResult
	}
	if err := json.Unmarshal(lines[1], &last); err != nil || last.Type != "result" || len(last.Releases) != 1 || last.Releases[0].Error != "boom" {
		t.Errorf("%v: %s", err, lines[1])
	}
}

func TestCriticalPathIsOneLine(t *testing.T) {
	start := time.Unix(100, 0)
	r := &rollout.Result{Outcomes: []rollout.Outcome{
		{Step: rollout.Step{ID: "namespace a"}, Started: start, Took: time.Millisecond},
		{Step: rollout.Step{ID: "release a/p", Needs: []string{"namespace a"}}, Started: start.Add(2 * time.Second), Took: time.Second},
		{Step: rollout.Step{ID: "gate a/p", Needs: []string{"release a/p"}}, Started: start.Add(3 * time.Second), Took: 40 * time.Second},
	}}
	if got, want := CriticalPath(r), "critical path of 43.0s: its turn 2.0s, release a/p 1.0s, gate a/p 40.0s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := CriticalPath(&rollout.Result{}); got != "" {
		t.Errorf("got %q for nothing", got)
	}
}

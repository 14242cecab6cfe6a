package report

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var update = flag.Bool("update", false, "write the golden files anew")

var team = func(i int) fleet.Key {
	return fleet.Key{Namespace: fmt.Sprintf("team-%02d", i), Name: "dynamo-platform"}
}

const noImage = "Deployment %s/dynamo-platform-operator is not ready: pod dynamo-platform-operator-7d4b9c6f5d-x7k2p: ImagePullBackOff: Back-off pulling image \"registry.example.com/dynamo-operator:1.0.9\": not found; Available: 0/1"

// fleetStatus has a bit of everything.
func fleetStatus() *rollout.Status {
	s := &rollout.Status{Fleet: "prod", Cluster: "https://cluster.example.com:6443"}
	for i := range 6 {
		s.Releases = append(s.Releases, rollout.ReleaseStatus{Key: team(i), Chart: "dynamo-platform-1.0.0", Revision: 1, Status: "deployed", Ready: true})
	}
	for _, i := range []int{2, 4} {
		s.Releases[i].Ready, s.Releases[i].Gate = false, fmt.Sprintf(noImage, team(i).Namespace)
	}
	s.Releases[5] = rollout.ReleaseStatus{Key: team(5), Status: rollout.StatusMissing, Gate: "not installed", Differs: "not installed"}
	s.Releases[1].Differs = "values changed"
	s.Agents = []rollout.Agent{
		{Node: "node-1", Namespace: "team-00", Pod: "chrek-agent-a", Ready: true, Image: "registry.example.com/chrek-agent:1.0.0"},
		{Node: "node-2", Namespace: "team-00", Pod: "chrek-agent-b", Message: "container agent exited with code 1", Restarts: 4, Image: "registry.example.com/chrek-agent:1.0.0"},
	}
	for i := range 6 {
		s.Running = append(s.Running, rollout.Running{Namespace: team(i).Namespace, Image: "registry.example.com/dynamo-operator:1.0.0", Containers: 1, Ready: 1})
	}
	s.Running[2].Image, s.Running[2].Ready = "registry.example.com/dynamo-operator:1.0.9", 0
	s.Volumes = []rollout.Volume{{Namespace: "team-00", Claim: "chrek-pvc", Phase: "Pending", Size: "100Gi"}}
	s.Graphs = []rollout.Graph{
		{Namespace: "team-00", Name: "chat", Ready: true, Reason: "all_resources_are_ready"},
		{Namespace: "team-01", Name: "summarize-with-a-name-that-goes-on-and-on-for-ever", Reason: "some_resources_are_not_ready", Message: "Worker: 0/1 ready: no node has room"},
	}
	return s
}

func step(kind rollout.StepKind, i int, action rollout.Action) rollout.Step {
	return rollout.Step{ID: string(kind) + " " + team(i).String(), Kind: kind, Action: action, Key: team(i)}
}

func ran(broken ...int) *rollout.Result {
	r := &rollout.Result{}
	start := time.Unix(1000, 0)
	for i := range 6 {
		record := rollout.Record{Key: team(i), Revision: 1, Status: "deployed", Chart: "dynamo-platform-1.0.0"}
		r.Outcomes = append(r.Outcomes, rollout.Outcome{Step: step(rollout.StepRelease, i, rollout.ActionInstall), State: rollout.StateDone, Record: record, Started: start, Took: time.Second})
		gate := rollout.Outcome{Step: step(rollout.StepGate, i, rollout.ActionWait), State: rollout.StateDone, Started: start.Add(time.Second), Took: 9 * time.Second}
		for _, b := range broken {
			if b == i {
				gate.State, gate.Err = rollout.StateFailed, fmt.Errorf(noImage, team(i).Namespace)
			}
		}
		r.Outcomes = append(r.Outcomes, gate)
	}
	return r
}

func removal() *rollout.DestroyPlan {
	r := &rollout.DestroyPlan{CRDs: map[string]int{}, Claims: map[fleet.Key][]string{team(0): {"models"}}}
	for i := range 6 {
		r.Releases = append(r.Releases, rollout.Record{Key: team(i), Revision: 3, Status: "deployed"})
		r.Namespaces = append(r.Namespaces, team(i).Namespace)
	}
	for _, kind := range []string{"dynamographdeployments", "dynamocomponentdeployments", "dynamographdeploymentscalingadapters"} {
		r.CRDs[kind+".nvidia.com"] = 2
	}
	return r
}

func upgrade() *rollout.Plan {
	p := &rollout.Plan{Fleet: "prod"}
	for i := range 6 {
		s := step(rollout.StepRelease, i, rollout.ActionUpgrade)
		s.Reason = "values changed"
		s.Values = []rollout.ValueChange{{Path: "dynamo-operator.logLevel", Old: "info", New: "debug", SetAt: fleet.Origin{File: "fleet.yaml", Line: 17, Column: 11}}}
		s.Changes = []rollout.Change{{Action: rollout.ChangeUpdate, Kind: "Deployment", Namespace: team(i).Namespace, Name: "dynamo-platform-operator", Pods: 1}}
		p.Steps = append(p.Steps, s)
	}
	return p
}

func revisions() []rollout.Revision {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	return []rollout.Revision{
		{Number: 1, Description: "apply", Status: rollout.RevisionDone, Started: at, Finished: at.Add(40 * time.Second), By: "somebody@laptop (process 1)"},
		{Number: 2, Description: "apply", Status: rollout.RevisionFailed, Started: at, Finished: at.Add(5 * time.Minute), Cause: fmt.Sprintf("gate team-02/dynamo-platform: "+noImage, "team-02"), By: "somebody@laptop (process 2)"},
		{Number: 3, Description: "rollback to 1", To: 1, Status: rollout.RevisionDone, Unwaited: true, Started: at, Finished: at.Add(4 * time.Second), By: "somebody@laptop (process 3)"},
	}
}

// What a person sees at a terminal of the usual width and on a wide one. No row
// is broken.
func TestScreensAreGolden(t *testing.T) {
	screens := map[string]func(w io.Writer) error{
		"install": func(w io.Writer) error { return RunTables(w, ran(), false) },
		"failure": func(w io.Writer) error {
			if err := RunTables(w, ran(2, 4), false); err != nil {
				return err
			}
			_, err := fmt.Fprintln(w, "Error:", RunError(ran(2, 4)))
			return err
		},
		"status":      func(w io.Writer) error { return Status(w, fleetStatus(), false) },
		"status-wide": func(w io.Writer) error { return Status(w, fleetStatus(), true) },
		"destroy":     func(w io.Writer) error { return Removal(w, removal(), "https://cluster.example.com:6443") },
		"rollback": func(w io.Writer) error {
			asked := []rollout.Ask{{Key: team(1), At: []fleet.Origin{{File: "tenants/team-01.yaml", Line: 8}}}}
			_, err := fmt.Fprintln(w, wrap(w, Returned("prod", "fleet.yaml", 2, 4, true, asked, nil)))
			return err
		},
		"plan":    func(w io.Writer) error { return PlanTable(w, upgrade()) },
		"history": func(w io.Writer) error { return HistoryTable(w, revisions(), false) },
	}
	for name, show := range screens {
		for _, width := range []int{80, 200} {
			if width == 80 && strings.HasSuffix(name, "-wide") {
				continue // Not cut, as with kubectl.
			}
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				var out bytes.Buffer
				if err := show(Screen{&out, width}); err != nil {
					t.Fatal(err)
				}
				golden(t, filepath.Join("testdata", "screens", fmt.Sprintf("%s-%d.txt", name, width)), out.String())
				for line := range strings.SplitSeq(out.String(), "\n") {
					if tableRow(line) && runewidth.StringWidth(line) >= width {
						t.Errorf("a row of %d cells: %s", runewidth.StringWidth(line), line)
					}
				}
			})
		}
	}
}

// tableRow tells rows from prose, which a terminal may wrap.
func tableRow(line string) bool { return strings.Contains(strings.TrimSpace(line), "   ") }

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (make golden writes it anew):\n%s", file, diff)
	}
}

// What comes from outside steers no terminal and turns no text around.
func TestDoorCleansWhatComesFromOutside(t *testing.T) {
	var out bytes.Buffer
	door := NewDoor(&out, Commands("kubectl wheelhouse", "-f 'my fleet.yaml'"))
	_, err := io.WriteString(door, "a\u202eb \x1b[2J c\r\u2066d \u009b \xff ok\tü\nrun `wheelhouse apply --prune`, or `wheelhouse plan -f x.yaml`, or `wheelhouse bundle load FILE`\n")
	if err != nil {
		t.Fatal(err)
	}
	want := `a\u202eb \x1b[2J c\x0d\u2066d \x9b \xff ok` + "\tü\nrun `kubectl wheelhouse apply -f 'my fleet.yaml' --prune`, or `kubectl wheelhouse plan -f x.yaml`, or `kubectl wheelhouse bundle load -f 'my fleet.yaml' FILE`\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

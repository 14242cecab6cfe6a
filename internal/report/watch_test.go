package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/test/terminal"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func statusOf(status, gate string, graphs ...rollout.Graph) *rollout.Status {
	return &rollout.Status{Fleet: "f", Graphs: graphs, Releases: []rollout.ReleaseStatus{
		{Key: fleet.Key{Namespace: "a", Name: "p"}, Status: rollout.HelmStatus(status), Gate: gate, Revision: 1, Updated: noon},
		{Key: fleet.Key{Namespace: "b", Name: "p"}, Status: "missing", Gate: "not installed", Differs: "not installed"},
	}}
}

// Outside of a terminal, a watch tells changes, each once.
func TestWatchTellsChanges(t *testing.T) {
	var out bytes.Buffer
	w := NewWatch(&out, false)
	graph := rollout.Graph{Namespace: "a", Name: "chat", Reason: "pending", Message: "no node"}
	ready := graph
	ready.Ready = true
	for i, s := range []*rollout.Status{
		statusOf("deployed", "Deployment x has 0 of 1 replicas", graph), statusOf("deployed", "Deployment x has 0 of 1 replicas", graph),
		statusOf("deployed", "", ready), statusOf("deployed", ""),
	} {
		if err := w.Show(s, noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := w.Fail(errors.New("nobody answers"), noon.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	want := `12:00:00 release a/p: deployed, revision 1, waits: Deployment x has 0 of 1 replicas
12:00:00 release b/p: missing
12:00:00 graph a/chat: not ready: pending: no node
12:00:02 release a/p: deployed, revision 1, ready
12:00:02 graph a/chat: ready
12:00:03 graph a/chat: gone
12:01:00 nobody answers; trying again
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWatchRedrawsOnATerminal(t *testing.T) {
	var out bytes.Buffer
	w := NewWatch(&out, false)
	w.terminal = true
	for range 2 {
		if err := w.Show(statusOf("deployed", ""), noon); err != nil {
			t.Fatal(err)
		}
	}
	screens := strings.Split(out.String(), "\x1b[H")
	if len(screens) != 3 || screens[1] != screens[2] || !strings.HasPrefix(screens[1], "12:00:00, Ctrl-C ends. Fleet f on ") || !strings.HasSuffix(screens[1], "\x1b[J") {
		t.Errorf("%q", screens)
	}
}

// A status that is longer than the window neither scrolls nor leaves anything
// of the one before.
func TestWatchStaysInTheWindow(t *testing.T) {
	capable(t)
	screen := terminal.Open(t, 80, 12)
	long, short := statusOf("deployed", strings.Repeat("Deployment x waits ", 8)), statusOf("deployed", "")
	for i := range 20 {
		long.Releases = append(long.Releases, rollout.ReleaseStatus{Key: fleet.Key{Namespace: fmt.Sprintf("more-%d", i), Name: "p"}, Status: "deployed"})
	}
	w := NewWatch(screen.Stream, false)
	for _, step := range []struct {
		status *rollout.Status
		rows   int
		end    string
	}{{long, 11, "more lines"}, {short, 8, "Next: wheelhouse apply"}, {long, 11, "more lines"}} {
		if err := w.Show(step.status, noon); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(screen.Settled(t), "\n")
		if len(lines) != step.rows || !strings.HasPrefix(lines[0], "12:00:00, Ctrl-C ends. Fleet f on") || !strings.HasSuffix(lines[len(lines)-1], step.end) {
			t.Errorf("%d rows, want %d:\n%s", len(lines), step.rows, screen.Screen())
		}
	}
}

func TestWatchAsJSONPrintsWhatDiffers(t *testing.T) {
	var out bytes.Buffer
	w := NewWatch(&out, true)
	for _, s := range []*rollout.Status{statusOf("deployed", ""), statusOf("deployed", ""), statusOf("failed", "")} {
		if err := w.Show(s, noon); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"status":"failed"`) {
		t.Errorf("%q", lines)
	}
}

// The column is there in the wide table; that a certificate ends is told in each.
func TestCertificatesInTheTable(t *testing.T) {
	s := statusOf("deployed", "")
	var out bytes.Buffer
	if err := Status(&out, s, false); err != nil || strings.Contains(out.String(), "CERTIFICATE") {
		t.Errorf("%v\n%s", err, out.String())
	}
	s.Releases[0].Certificates = []rollout.Certificate{{
		Configuration: "ValidatingWebhookConfiguration/x", Begins: time.Now().Add(-340 * 24 * time.Hour), Expires: time.Now().Add(12*24*time.Hour + time.Minute),
	}}
	out.Reset()
	if err := Status(&out, s, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CHART   CERTIFICATE", "12d\n", "a/p: the certificate of ValidatingWebhookConfiguration/x ends in 12 days"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from:\n%s", want, out.String())
		}
	}
}

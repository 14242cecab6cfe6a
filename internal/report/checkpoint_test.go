package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
)

func stored(id, image string, files map[string]artifact.File) artifact.Entry {
	return artifact.Entry{ID: id, Size: 3 << 20, Manifest: &artifact.Manifest{
		ID: id, Namespace: "team-a", Pod: "p", Node: "n", Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Facts: artifact.Facts{Image: image, Command: []string{"worker", "-x"}, Rights: &artifact.Rights{Capabilities: 3}}, Files: files,
	}}
}

func TestTwoCheckpointsDifferInTheirFactsAndFiles(t *testing.T) {
	left := stored("one", "a", map[string]artifact.File{"pages-1.img": {Size: 1, SHA256: "aa"}, "old": {Size: 2, SHA256: "bb"}})
	right := stored("two", "b", map[string]artifact.File{"pages-1.img": {Size: 1, SHA256: "cc"}})
	want := []CheckpointDifference{{"image", "a", "b"}, {"old", "bb, 2 bytes", ""}, {"pages-1.img", "aa, 1 bytes", "cc, 1 bytes"}}
	if diff := cmp.Diff(want, CheckpointDifferences(left, right)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := CheckpointDifferences(left, left); len(got) != 0 {
		t.Errorf("it differs from itself: %v", got)
	}
	var out strings.Builder
	if err := CheckpointDifferenceTable(&out, "one", "two", want[:2]); err != nil {
		t.Fatal(err)
	}
	if got := "FACT    one           two\nimage   a             b\nold     bb, 2 bytes   -\n"; out.String() != got {
		t.Errorf("got\n%s", out.String())
	}
}

// TestWhatIsStoredCannotSteerATerminal: names and commands are a tenant's.
func TestWhatIsStoredCannotSteerATerminal(t *testing.T) {
	evil := stored("one", "a\x1b[2J", nil)
	evil.Manifest.Pod = "p\x1b[31m\nfake row"
	evil.NeededBy, evil.Problem = "pod team-a/q", "the checkpoint is damaged: x is missing"
	var list, one strings.Builder
	if err := CheckpointTable(&list, []artifact.Entry{evil, {ID: "two", Problem: "no manifest"}}); err != nil {
		t.Fatal(err)
	}
	if err := CheckpointFacts(&one, evil); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(list.String()+one.String(), 0x1b) {
		t.Errorf("it steers:\n%q\n%q", list.String(), one.String())
	}
	if lines := strings.Split(strings.TrimSpace(list.String()), "\n"); len(lines) != 3 || !strings.Contains(lines[1], "pod team-a/q") || !strings.HasSuffix(lines[2], "no manifest") {
		t.Errorf("got\n%s", list.String())
	}
	if !strings.Contains(one.String(), "command") || !strings.Contains(one.String(), "worker -x") {
		t.Errorf("got\n%s", one.String())
	}
}

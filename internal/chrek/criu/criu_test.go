package criu

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

func TestMountsKeepTheirNamesAcrossPods(t *testing.T) {
	cfg, points := config.Default().Checkpoint.CRIU, []string{"/dev", "/data]:x"}
	dump := dumpOptions(cfg, 7, "/draft", points)
	if want := []string{"mnt[/dev]:m0", "mnt[/data]:x]:m1"}; !slices.Equal(dump.External, want) {
		t.Errorf("dump: %q", dump.External)
	}
	restore := restoreOptions(cfg, "/stored", "/tmp/root", points)
	if want := []string{"mnt[m0]:/tmp/root/dev", "mnt[m1]:/tmp/root/data]:x"}; !slices.Equal(restore.External, want) {
		t.Errorf("restore: %q", restore.External)
	}
	if dump.GetPid() != 7 || !dump.GetLeaveRunning() || !dump.GetTcpClose() || !dump.GetLinkRemap() || dump.GetGhostLimit() != 512<<20 || restore.GetRoot() != "/tmp/root" {
		t.Errorf("options are missing:\n%v\n%v", dump, restore)
	}
}

func TestEachPipeIsReplacedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		output map[int]string
		want   []int
	}{
		"two":  {map[int]string{1: "pipe:[1]", 2: "pipe:[2]"}, []int{1, 2}},
		"one":  {map[int]string{1: "pipe:[1]", 2: "pipe:[1]"}, []int{1}},
		"file": {map[int]string{2: "pipe:[2]"}, []int{2}},
		"none": {nil, nil},
	} {
		if got := outputs(RestoreRequest{Output: tc.output}); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestTheReasonIsInTheLog(t *testing.T) {
	log := "(00.1) Dumping\n(00.2) Error (criu/a.c:1): first\n(00.3)   12: Error (criu/b.c:2): Can't dump /dev/fuse\n"
	if got := lastErrors(log); got != "first; Can't dump /dev/fuse" {
		t.Errorf("got %q", got)
	}
	if got := remedy("inet: Unsupported proto 262 for socket 3"); !strings.Contains(got, "GODEBUG=multipathtcp=0") {
		t.Errorf("got %q", got)
	}
	if got := remedy("something else"); got != "" {
		t.Errorf("got %q", got)
	}
	dir := t.TempDir()
	if got := reason(dir); !strings.Contains(got, "no log") {
		t.Errorf("got %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte("all well\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := reason(dir); !strings.Contains(got, "no error") {
		t.Errorf("got %q", got)
	}
}

func TestAHelperAnswersInJSON(t *testing.T) {
	var out bytes.Buffer
	if err := Help("nosuch", strings.NewReader("{}"), &out); err == nil {
		t.Error("an unknown helper worked")
	}
	if err := Help("dump", strings.NewReader("no request"), &out); err == nil {
		t.Error("what is no request was answered")
	}
}

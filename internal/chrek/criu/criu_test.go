package criu

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestWhatIsMountedWithinAVolumeStaysOut: a Secret, or a volume of any size.
func TestWhatIsMountedWithinAVolumeStaysOut(t *testing.T) {
	points := []string{"/data", "/data/models", "/database", "/etc/hosts"}
	for point, want := range map[string][]string{
		"/": {"./data", "./data/models", "./database", "./etc/hosts"}, "/data": {"./models"}, "/dev/shm": nil,
	} {
		if got := beneath(point, points); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", point, got, want)
		}
	}
}

// TestOnlyAPipeIsInherited: what a waiting process has as its output is its own choice.
func TestOnlyAPipeIsInherited(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = read.Close(), write.Close() }()
	fd := func(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }
	pipe, err := openPipe(fd(write))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.WriteString("x"); err != nil {
		t.Error(err)
	}
	if err := pipe.Close(); err != nil {
		t.Error(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, path := range []string{fd(file), "/dev/null"} {
		if _, err := openPipe(path); err == nil || !strings.Contains(err.Error(), "no pipe") {
			t.Errorf("%s: %v", path, err)
		}
	}
	lonely := filepath.Join(t.TempDir(), "lonely")
	if err := unix.Mkfifo(lonely, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPipe(lonely); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a pipe that nobody reads is waited for: %v", err)
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

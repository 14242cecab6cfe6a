package ledger

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOnlyProcessesOfThisMachineAreKnownDead(t *testing.T) {
	self := thisProcess()
	if self == "" || proc.knownDead(self) {
		t.Fatalf("this process (%q) lives", self)
	}
	fields := strings.Fields(self)
	reused := strings.Join([]string{fields[0], fields[1], fields[2], "1"}, " ")
	if !proc.knownDead(reused) {
		t.Error("a process number that was given again hides a dead process")
	}
	elsewhere := strings.Join([]string{"another-boot", fields[1], fields[2], "1"}, " ")
	if proc.knownDead(elsewhere) || proc.knownDead("") {
		t.Error("nothing is known about processes elsewhere")
	}
	gone := strings.Join([]string{fields[0], fields[1], "999999999", "1"}, " ")
	if !proc.knownDead(gone) {
		t.Error("a process that does not exist is dead")
	}
}

func TestAnEndedProcessIsDeadBeforeItsParentAsks(t *testing.T) {
	place, ok := proc.place()
	if !ok {
		t.Fatal("this system does not tell")
	}
	dead := exec.CommandContext(t.Context(), "true")
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	started, err := proc.startTime(dead.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	record := fmt.Sprintf("%s %d %s", place, dead.Process.Pid, cmp.Or(started, "1"))
	// It has ended, but this process, its parent, has not asked how.
	for began := time.Now(); !proc.knownDead(record) && time.Since(began) < time.Minute; {
		time.Sleep(time.Millisecond)
	}
	if !proc.knownDead(record) {
		t.Error("a process that waits for its parent only counts as alive")
	}
	if err := dead.Wait(); err != nil {
		t.Fatal(err)
	}
	if !proc.knownDead(record) {
		t.Error("a process that has ended counts as alive")
	}
}

// Where /proc hides the processes of other users (hidepid=2), one that lives looks
// as one that has ended: its folder is missing.
func TestWhatIsHiddenIsNotDead(t *testing.T) {
	place, ok := proc.place()
	if !ok {
		t.Fatal("this system does not tell")
	}
	hiding := procfs(t.TempDir())
	boot, namespace, _ := strings.Cut(place, " ")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(string(hiding), "sys/kernel/random"), 0o700),
		os.MkdirAll(filepath.Join(string(hiding), "self/ns"), 0o700),
		os.WriteFile(filepath.Join(string(hiding), "sys/kernel/random/boot_id"), []byte(boot+"\n"), 0o600),
		os.Symlink(namespace, filepath.Join(string(hiding), "self/ns/pid")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	alive := fmt.Sprintf("%s %d 1", place, os.Getppid())
	if hiding.knownDead(alive) {
		t.Error("a living process that is hidden counts as dead")
	}
	if !proc.knownDead(alive) || !hiding.knownDead(place+" 999999999 1") {
		t.Error("what is certain is not known")
	}
}

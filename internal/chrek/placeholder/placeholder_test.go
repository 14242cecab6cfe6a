package placeholder

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the placeholder where a test starts this program so.
func TestMain(m *testing.M) {
	if patience, err := time.ParseDuration(os.Getenv("PLACEHOLDER_PATIENCE")); err == nil {
		os.Exit(Run(patience, os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

// start returns when it waits.
func start(t *testing.T, patience string, command ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], command...)
	cmd.Env = append(os.Environ(), "PLACEHOLDER_PATIENCE="+patience)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if patience != "1ns" {
		await(t, cmd, Waiting)
	}
	return cmd, &out
}

// await waits until it is called so.
func await(t *testing.T, cmd *exec.Cmd, name string) {
	t.Helper()
	for {
		comm, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "comm"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(comm)) == name {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func code(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func TestItBecomesTheWorkerWhenTold(t *testing.T) {
	cmd, out := start(t, "1h", "sh", "-c", "echo worker; exit 7")
	if err := cmd.Process.Signal(Wait); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(StartAnew); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd); got != 7 || !strings.Contains(out.String(), "worker") || !strings.Contains(out.String(), "starting anew") {
		t.Errorf("exit code %d: %s", got, out)
	}
}

func TestItBecomesTheWorkerWhenNobodyCares(t *testing.T) {
	cmd, out := start(t, "1ns", "sh", "-c", "exit 3")
	if got := code(t, cmd); got != 3 || !strings.Contains(out.String(), "no agent has said anything") {
		t.Errorf("exit code %d: %s", got, out)
	}
	cmd, out = start(t, "1ns", "no-such-program")
	if got := code(t, cmd); got != 127 || !strings.Contains(out.String(), "no-such-program") {
		t.Errorf("exit code %d: %s", got, out)
	}
}

// TestWhatWasBegunNeverBecomesTheWorker: neither when it is told so, nor when nobody
// says anything any more.
func TestWhatWasBegunNeverBecomesTheWorker(t *testing.T) {
	cmd, out := start(t, "1h", "sh", "-c", "exit 7")
	begin(t, cmd)
	await(t, cmd, Begun)
	if err := cmd.Process.Signal(StartAnew); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd); got != 1 || !strings.Contains(out.String(), "to be started again") {
		t.Errorf("told to start anew: exit code %d: %s", got, out)
	}
	for range 20 { // patience may end before it is told that something has begun
		cmd, out = start(t, "500ms", "sh", "-c", "exit 7")
		begin(t, cmd)
		if code(t, cmd) == 1 && strings.Contains(out.String(), "to be started again") {
			return
		}
	}
	t.Errorf("nobody says anything: %s", out)
}

func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(Begin); err != nil {
		t.Fatal(err)
	}
}

func TestItEndsWhenTheWaitIsEnded(t *testing.T) {
	cmd, _ := start(t, "1h", "true")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd); got != 143 {
		t.Errorf("exit code %d", got)
	}
}

// TestWithoutARestoredChildNothingIsAdopted: any child is not the worker.
func TestWithoutARestoredChildNothingIsAdopted(t *testing.T) {
	cmd, out := start(t, "1h", "true")
	if err := cmd.Process.Signal(Adopt); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd); got != 1 || !strings.Contains(out.String(), "has ended already") {
		t.Errorf("exit code %d: %s", got, out)
	}
}

func TestTheRestoredChildIsTheFirstOfANestedNamespace(t *testing.T) {
	proc := t.TempDir()
	for pid, status := range map[int]string{
		1:  "Name:\tchrek-waiting\nPPid:\t0\nNSpid:\t1\n",
		9:  "Name:\thelper\nPPid:\t1\nNSpid:\t9\n",
		22: "Name:\tworker\nPPid:\t1\nNSpid:\t22\t1\n",
		23: "Name:\tchild\nPPid:\t22\nNSpid:\t23\t2\n",
		24: "Name:\tstray\nPPid:\t1\nNSpid:\t24\t3\n",
	} {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := restored(proc, 1); got != 22 {
		t.Errorf("adopts %d, want 22", got)
	}
	if got := restored(proc, 22); got != 0 {
		t.Errorf("adopts %d, want none", got)
	}
}

// TestAWorkerIsServedToItsEnd: signals reach it, and its end is ours.
func TestAWorkerIsServedToItsEnd(t *testing.T) {
	children, signals := make(chan os.Signal, 1), make(chan os.Signal, 2)
	worker := exec.CommandContext(t.Context(), "sleep", "600")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() { ended <- serve(worker.Process.Pid, children, signals) }()
	signals <- Wait
	signals <- syscall.SIGTERM
	for {
		select {
		case got := <-ended:
			if got != 143 {
				t.Errorf("exit code %d, want 143", got)
			}
			return
		case <-time.After(5 * time.Millisecond):
			select {
			case children <- syscall.SIGCHLD:
			default:
			}
		}
	}
}

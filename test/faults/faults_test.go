package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// shared is the harness of all tests here: waiting until fleets have gone from
// the cluster is worth it once.
var shared *harness

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	c, err := cluster.Up()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = c.Down() }()
	shared, err = newHarness(context.Background(), c, "testdata", os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// A part of what `make fault-sweep` does.
func TestAKilledClientIsForgiven(t *testing.T) {
	if err := cluster.OpenSources("../.."); err != nil {
		t.Fatal(err)
	}
	h := shared
	const every = 17
	for _, s := range scenarios {
		if s.charts == realCharts || s.charts == convertedCharts {
			continue // Large: `make fault-sweep` alone does them.
		}
		result, err := h.sweep(t.Context(), s, every)
		if err != nil {
			t.Fatal(err)
		}
		if result.tried < 3 || result.survived < result.tried {
			t.Errorf("%s: %d of %d survived:\n%s", s.name, result.survived, result.tried, strings.Join(result.failures, "\n"))
		}
		disturbed, err := h.disturb(t.Context(), s, 2)
		if err != nil {
			t.Fatal(err)
		}
		if disturbed.survived < disturbed.runs {
			t.Errorf("%s: %d of %d runs with random faults ended right", s.name, disturbed.survived, disturbed.runs)
		}
	}
}

var sampled = map[string]bool{
	"upgrade stopped, then apply": true, "upgrade stopped, then rollback": true, "upgrade stopped, then destroy": true, "destroy stopped, then upgrade": true,
}

// A part of what `make fault-sweep` does: one round of the pairs in which the second
// client leaves something that is easily undone.
func TestAStoppedClientWritesNothing(t *testing.T) {
	if err := cluster.OpenSources("../.."); err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	group.SetLimit(shared.parallel)
	var met atomic.Int32
	pairs := slices.DeleteFunc(slices.Clone(encounters), func(e encounter) bool { return !sampled[e.name] })
	for _, e := range pairs {
		group.Go(func() error {
			s, err := shared.meet(t.Context(), e, 1)
			if err != nil {
				return err
			}
			met.Add(int32(s.tried))
			if s.held() < s.tried {
				t.Errorf("%s: %d of %d held:\n%s", s.name, s.held(), s.tried, strings.Join(s.failures, "\n"))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(pairs) != len(sampled) || int(met.Load()) < len(pairs)/2 {
		t.Errorf("in only %d rounds the first client had the lock when it was stopped", met.Load())
	}
}

// writes tells the requests of an upgrade that change objects.
func writes(r *http.Request) bool {
	return r.Method == http.MethodPatch && !r.URL.Query().Has("dryRun")
}

// between runs an upgrade whose requests get a verdict from its first write on,
// and returns what it said.
func between(t *testing.T, decide func(since time.Time) verdict) (f *fleet, out string, err error) {
	t.Helper()
	var began atomic.Pointer[time.Time]
	f, p := upgrading(t, func(_ int, r *http.Request) verdict {
		if now := time.Now(); writes(r) {
			began.CompareAndSwap(nil, &now)
		}
		if began.Load() == nil {
			return pass
		}
		return decide(*began.Load())
	})
	defer p.Close()
	out, err = f.run(t.Context(), p.Kubeconfig, applyTwo)
	return f, out, err
}

// upgrading prepares an upgrade through a proxy.
func upgrading(t *testing.T, decide func(int, *http.Request) verdict) (*fleet, *proxy) {
	t.Helper()
	f, err := shared.prepared(t.Context(), upgrade)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shared.forget(context.Background(), f) })
	p, err := shared.newProxy(f.dir, behaviour{decide: decide})
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

// afterwards makes sure that the next run ends where an undisturbed one does.
func afterwards(t *testing.T, f *fleet) {
	t.Helper()
	want, err := shared.undisturbed(t.Context(), upgrade)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.recovers(t.Context(), f, upgrade, applyTwo, want, "afterwards"); err != nil {
		t.Error(err)
	}
}

func TestARestartOfTheServerIsSurvived(t *testing.T) {
	f, out, err := between(t, func(since time.Time) verdict {
		if time.Since(since) < 10*time.Second {
			return drop
		}
		return pass
	})
	if err != nil || !strings.Contains(out, "the API server does not answer; trying again") {
		t.Errorf("%v\n%s", err, out)
	}
	afterwards(t, f)
}

func TestExpiredCredentialsEndInACleanStop(t *testing.T) {
	var refused time.Time
	var once sync.Once
	f, out, err := between(t, func(since time.Time) verdict {
		once.Do(func() { refused = since })
		return deny
	})
	if err == nil || !strings.Contains(out, "Error: the cluster no longer accepts the credentials: log in again; 6 of 8 steps are left") {
		t.Errorf("%v\n%s", err, out)
	}
	// A server that is silent is waited for, for a minute.
	if took := time.Since(refused); took > 30*time.Second {
		t.Errorf("it ended only %s after the first refusal", took)
	}
	afterwards(t, f)
}

// interrupted starts an upgrade and sends signals while its first write hangs,
// which goes on after the first signal, if that is the only one. It returns how
// long the end took after the last signal.
func interrupted(t *testing.T, signals int) (f *fleet, out string, took time.Duration, err error) {
	t.Helper()
	reached, goOn := make(chan struct{}), make(chan struct{})
	reach, release := sync.OnceFunc(func() { close(reached) }), sync.OnceFunc(func() { close(goOn) })
	f, p := upgrading(t, func(_ int, r *http.Request) verdict {
		if writes(r) {
			reach()
			<-goOn
		}
		return pass
	})
	defer p.Close()
	defer release()
	heard := &transcript{awaited: stopping, said: make(chan struct{})}
	command := exec.CommandContext(t.Context(), f.binary, append(applyTwo, "--parallel", "1")...)
	command.Dir, command.Stdout, command.Stderr = f.dir, heard, heard
	command.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig, "HOME="+f.dir)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	var last time.Time
	for range signals {
		last = time.Now()
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		// Two signals at once may count as one.
		select {
		case <-heard.said:
		case <-time.After(time.Minute):
			t.Fatalf("a minute after the signal it only says:\n%s", heard.String())
		}
	}
	if signals == 1 {
		release()
	}
	err = command.Wait()
	return f, heard.String(), time.Since(last), err
}

const stopping = "stopping at the next safe point; once more stops at once"

// transcript is what a program says, and tells when it says what is awaited.
type transcript struct {
	awaited string
	said    chan struct{}

	mutex sync.Mutex
	text  strings.Builder
}

// Write implements io.Writer.
func (h *transcript) Write(data []byte) (int, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	before := strings.Contains(h.text.String(), h.awaited)
	n, err := h.text.Write(data)
	if !before && strings.Contains(h.text.String(), h.awaited) {
		close(h.said)
	}
	return n, err
}

// String is all that was said.
func (h *transcript) String() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.text.String()
}

func TestCtrlCStopsAtTheNextSafePoint(t *testing.T) {
	f, out, _, err := interrupted(t, 1)
	if err == nil {
		t.Fatalf("it ended with 0:\n%s", out)
	}
	for _, want := range []string{
		stopping,
		"Error: stopped on request; 5 of 8 steps are left",
		"run the same command again to finish",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing from:\n%s", want, out)
		}
	}
	got, err := shared.observer.read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range got {
		if strings.HasPrefix(text, "unfinished") {
			t.Errorf("half of an operation is left: %s: %s", name, text)
		}
	}
	if got["journal"] != "last run: interrupted" {
		t.Errorf("the journal says %q", got["journal"])
	}
	afterwards(t, f)
}

func TestASecondCtrlCStopsAtOnce(t *testing.T) {
	f, out, took, err := interrupted(t, 2)
	status, ok := exitStatus(err)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("got %v\n%s", err, out)
	}
	// It would wait much longer for the write that hangs.
	if took > 30*time.Second {
		t.Errorf("that took %s", took)
	}
	afterwards(t, f)
}

func exitStatus(err error) (syscall.WaitStatus, bool) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return status, ok
}

func TestDifferencesAreFound(t *testing.T) {
	want := state{"a": "1", "b": "x\ny", "c": "1"}
	got := differences(want, state{"a": "1", "b": "x\nz", "d": "1"})
	if text := fmt.Sprint(got); text != "[different: b: want y, have z missing: c left over: d (1)]" {
		t.Error(text)
	}
}

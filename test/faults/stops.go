package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// encounter is a command whose client is stopped, as by a laptop that sleeps,
// for so long that a second client takes the lock over and ends. Then the first
// one goes on.
type encounter struct {
	name string
	// before prepares the cluster, undisturbed.
	before [][]string
	// stopped is the command of the first client, second that of the other.
	stopped, second []string
}

// encounters are the pairs of commands that write, each on a fleet where both
// have something to do.
var encounters = func() []encounter {
	var out []encounter
	for _, first := range []struct {
		name    string
		before  [][]string
		command []string
	}{
		{"install", nil, applyOne},
		{"upgrade", [][]string{applyOne}, applyTwo},
		{"rollback", [][]string{applyOne, applyTwo}, rollback},
		{"destroy", [][]string{applyOne}, destroy},
	} {
		for _, second := range []struct {
			name    string
			command []string
		}{
			{"apply", applyOne}, {"upgrade", applyTwo}, {"rollback", rollback}, {"destroy", destroy},
		} {
			if second.name == "rollback" && len(first.before) == 0 {
				continue // There is nothing to go back to.
			}
			out = append(out, encounter{first.name + " stopped, then " + second.name, first.before, first.command, second.command})
		}
	}
	return out
}()

// stand is how the encounters of a pair went.
type stand struct {
	name     string
	tried    int
	as, next int
	failures []string
	took     time.Duration
}

// held counts the rounds after which the cluster was as the second client left
// it, at once or after its next run.
func (s *stand) held() int { return s.as + s.next }

// meet stops the first client at several places of its run, as many as rounds
// says, and compares what the second one left with what is there when the first
// has ended, too.
func (h *harness) meet(ctx context.Context, e encounter, rounds int) (*stand, error) {
	began := time.Now()
	total, err := h.requests(ctx, e)
	if err != nil {
		return nil, err
	}
	s := &stand{name: e.name}
	var mutex sync.Mutex
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range h.parallel {
		workers.Go(func() {
			for k := range numbers {
				met, again, err := h.stopped(ctx, e, k)
				mutex.Lock()
				switch {
				case err != nil:
					s.failures = append(s.failures, err.Error())
					h.say("%s", err)
					s.tried++
				case met && again:
					s.next++
					s.tried++
				case met:
					s.as++
					s.tried++
				}
				mutex.Unlock()
			}
		})
	}
	// A run begins with reading, for a third of its requests or more.
	for i := range rounds {
		numbers <- total - (2*total/3)*(i+1)/(rounds+1)
	}
	close(numbers)
	workers.Wait()
	s.took = time.Since(began)
	return s, ctx.Err()
}

// requests tells how many requests the first command makes, undisturbed.
func (h *harness) requests(ctx context.Context, e encounter) (int, error) {
	count := sync.OnceValues(func() (int, error) {
		return h.count(ctx, scenario{name: e.name, before: e.before, disturbed: e.stopped})
	})
	shared, _ := h.counts.LoadOrStore(fmt.Sprint(e.before, e.stopped), count)
	return shared.(func() (int, error))()
}

// stopped stops the first client after its k-th request. It tells whether that had
// the lock by then, without which the clients do not meet, and whether the second
// one had to run again.
func (h *harness) stopped(ctx context.Context, e encounter, k int) (met, again bool, err error) {
	f, err := h.prepared(ctx, scenario{name: e.name, before: e.before})
	if err != nil {
		return false, false, err
	}
	defer h.forget(ctx, f)
	first := f.command(ctx)
	reached := make(chan struct{})
	p, err := h.newProxy(f.dir, behaviour{after: func(n int) {
		if n == k {
			_ = first.Process.Signal(syscall.SIGSTOP)
			close(reached)
		}
	}})
	if err != nil {
		return false, false, err
	}
	defer p.Close()
	var out bytes.Buffer
	first.Args, first.Stdout, first.Stderr = append(first.Args, e.stopped...), &out, &out
	first.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig, "HOME="+f.dir)
	if err := first.Start(); err != nil {
		return false, false, err
	}
	ended := make(chan struct{})
	go func() {
		_ = first.Wait() // how it ends is its own business
		close(ended)
	}()
	select {
	case <-reached:
	case <-ended:
		return false, false, nil // It made fewer requests this time.
	}
	locked := p.locked()
	where := fmt.Sprintf("%s, after request %d (%s)", e.name, k, p.request(k))
	fail := func(doing string, err error, said string) error {
		return fmt.Errorf("%s: %s: %w\n%s", where, doing, err, said)
	}
	said, runErr := f.patiently(ctx, h.cluster.Kubeconfig, e.second)
	want, err := h.observer.read(ctx, f)
	if err := errors.Join(first.Process.Signal(syscall.SIGCONT), err); err != nil {
		return false, false, err
	}
	<-ended
	switch {
	case !locked:
		return false, false, nil
	case runErr != nil && !refused(e, said):
		return false, false, fail("the second client failed", runErr, said)
	}
	got, err := h.settled(ctx, f, want, 3*time.Second)
	if err != nil {
		return true, false, err
	}
	if runErr != nil {
		// What the refusal advises must help, whatever the first has left.
		if said, err := f.patiently(ctx, h.cluster.Kubeconfig, applyOne); err != nil {
			return false, false, fail("apply, as the refusal advises, failed", err, said)
		}
		return true, len(differences(want, got)) > 0, nil
	}
	if len(differences(want, got)) == 0 {
		return true, false, nil
	}
	h.say("%s: it wrote after it was stopped: %s", where, strings.Join(differences(want, got), "; "))
	if said, err := f.run(ctx, h.cluster.Kubeconfig, e.second); err != nil {
		return false, false, fail("the next run failed", err, said)
	}
	got, err = h.settled(ctx, f, want, time.Minute)
	if found := differences(want, got); err == nil && len(found) > 0 {
		err = fail("the cluster is not as the second client left it", errors.New(strings.Join(found, "; ")), out.String())
	}
	return true, true, err
}

// refused tells whether the second client rightly found nothing to go back to,
// because the first had uninstalled it before it was stopped, and said what to do.
func refused(e encounter, said string) bool {
	return slices.Equal(e.stopped, destroy) && slices.Equal(e.second, rollback) && strings.Contains(said, "nothing can be restored: the releases of that revision were uninstalled")
}

// command is wheelhouse, not yet started.
func (f *fleet) command(ctx context.Context) *exec.Cmd {
	command := exec.CommandContext(ctx, f.binary)
	command.Dir = f.dir
	return command
}

// locked tells whether the client has written its lock by now.
func (p *proxy) locked() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.ContainsFunc(p.log, func(request string) bool {
		return strings.Contains(request, "/leases") && !strings.HasPrefix(request, http.MethodGet)
	})
}

// patiently runs a command, and again while it says to wait until what the first
// client has begun to delete is gone.
func (f *fleet) patiently(ctx context.Context, kubeconfig string, args []string) (said string, err error) {
	for deadline := time.Now().Add(time.Minute); ; pause(ctx) {
		said, err = f.run(ctx, kubeconfig, args)
		if err == nil || !strings.Contains(said, "wait until it is gone") || ctx.Err() != nil || time.Now().After(deadline) {
			return said, err
		}
	}
}

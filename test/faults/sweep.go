package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// scenario is a command that is disturbed, with what comes before and after.
type scenario struct {
	name string
	// charts of its fleets; the small ones if nil.
	charts *chartSet
	// stride is the distance between two kills, where there are too many for
	// all; 0 means 1.
	stride int
	// before prepares the cluster, undisturbed, and prepare does what is left of it.
	before  [][]string
	prepare func(*harness, context.Context, *fleet) error
	// disturbed is the command that is killed.
	disturbed []string
	// again is the next run; the disturbed command if empty.
	again []string
	// fails says that the commands end with an error, disturbed or not.
	fails bool
	// without lists the undisturbed runs that lead to the same end; before and
	// disturbed if empty.
	without [][]string
	// purges says that the command may take objects of our kinds away.
	purges bool
}

var (
	applyOne = []string{"apply", "-f", "one.yaml", "--yes"}
	applyTwo = []string{"apply", "-f", "two.yaml", "--yes"}
	destroy  = []string{"destroy", "-f", "one.yaml", "--yes", "--purge-crds", "--purge-data", "--purge-namespaces"}
	rollback = []string{"rollback", "-f", "one.yaml", "--yes"}
	// undone fails at its gates, and takes back what it did.
	undone = []string{"apply", "-f", "broken.yaml", "--yes", "--on-failure=rollback", "--timeout", "1s"}
)

// scenarios are the four commands, an upgrade that takes itself back, two changes
// of mind after a killed one, volumes that grow, the four commands with the real charts, and all that
// happens to what converts.
var scenarios = slices.Concat([]scenario{
	{name: "apply", disturbed: applyOne},
	upgrade,
	{name: "rollback", before: [][]string{applyOne, applyTwo}, disturbed: rollback},
	{name: "destroy", before: [][]string{applyOne}, disturbed: destroy},
	{name: "upgrade that is taken back", before: [][]string{applyOne}, disturbed: undone, fails: true},
	{name: "upgrade, then back", before: [][]string{applyOne}, disturbed: applyTwo, again: applyOne, without: [][]string{applyOne}},
	{name: "upgrade, then destroy", before: [][]string{applyOne}, disturbed: applyTwo, again: destroy, without: [][]string{applyOne, destroy}},
}, volumeScenarios(), realScenarios(), convertedScenarios())

var upgrade = scenario{name: "upgrade", before: [][]string{applyOne}, disturbed: applyTwo}

func realScenarios() []scenario {
	one, two := slices.Concat(applyOne, []string{"--no-wait"}), slices.Concat(applyTwo, []string{"--no-wait"})
	list := []scenario{
		{name: "apply, real charts", disturbed: one},
		{name: "upgrade, real charts", before: [][]string{one}, disturbed: two},
		{name: "rollback, real charts", before: [][]string{one, two}, disturbed: slices.Concat(rollback, []string{"--no-wait"})},
		{name: "destroy, real charts", before: [][]string{one}, disturbed: destroy},
	}
	for i := range list {
		list[i].charts, list[i].stride = realCharts, 23
	}
	return list
}

// unexpected tells whether a command did not end as it should.
func (s scenario) unexpected(args []string, err error) bool {
	var exit *exec.ExitError
	if s.fails && slices.Equal(args, s.disturbed) && errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false
	}
	return err != nil
}

// tally is how a sweep went.
type tally struct {
	name     string
	requests int
	tried    int
	survived int
	slowest  time.Duration
	failures []string
	took     time.Duration
	// asked is after how many kills there were objects to read, read how often all
	// of them could be.
	asked, read int
}

func (t *tally) add(o outcome) {
	t.tried++
	t.slowest = max(t.slowest, o.took)
	if o.err == nil && o.unread == nil {
		t.survived++
	}
	if o.asked {
		t.asked++
		if o.unread == nil {
			t.read++
		}
	}
}

// outcome is what a kill led to.
type outcome struct {
	// took is for how long the next run went.
	took time.Duration
	err  error
	// asked says that there were objects to read, unread which could not be.
	asked  bool
	unread error
}

// sweep kills a scenario's command after its k-th request, for every k that is
// a multiple of step, and compares where the next run ends with where it ends
// without any disturbance.
func (h *harness) sweep(ctx context.Context, s scenario, step int) (*tally, error) {
	began := time.Now()
	want, err := h.undisturbed(ctx, s)
	if err != nil {
		return nil, err
	}
	total, err := h.count(ctx, s)
	if err != nil {
		return nil, err
	}
	t := &tally{name: s.name, requests: total}
	var mutex sync.Mutex
	step *= max(s.stride, 1)
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range h.parallel {
		workers.Go(func() {
			for k := range numbers {
				o := h.killed(ctx, s, k, want)
				mutex.Lock()
				t.add(o)
				if err := errors.Join(o.unread, o.err); err != nil {
					t.failures = append(t.failures, err.Error())
					h.say("%s", err)
				}
				mutex.Unlock()
			}
		})
	}
	for k := step; k <= total && ctx.Err() == nil; k += step {
		numbers <- k
	}
	close(numbers)
	workers.Wait()
	t.took = time.Since(began)
	return t, ctx.Err()
}

// undisturbed returns the state that every disturbed run must lead to.
func (h *harness) undisturbed(ctx context.Context, s scenario) (state, error) {
	runs := s.without
	if runs == nil {
		runs = slices.Concat(s.before, [][]string{s.disturbed})
	}
	key := fmt.Sprint(runs)
	if h.ends[key] == nil {
		end, err := h.readEnd(ctx, scenario{name: s.name, charts: s.charts, before: runs, disturbed: s.disturbed, fails: s.fails})
		if err != nil {
			return nil, err
		}
		h.ends[key] = end
	}
	return h.ends[key], nil
}

func (h *harness) readEnd(ctx context.Context, s scenario) (state, error) {
	f, err := h.prepared(ctx, s)
	if err != nil {
		return nil, err
	}
	defer h.forget(ctx, f)
	return h.observer.read(ctx, f)
}

// settled reads the state, again while controllers may still be at work on it.
func (h *harness) settled(ctx context.Context, f *fleet, want state, limit time.Duration) (state, error) {
	for deadline := time.Now().Add(limit); ; {
		got, err := h.observer.read(ctx, f)
		if err != nil || len(differences(want, got)) == 0 || time.Now().After(deadline) {
			return got, err
		}
		pause(ctx)
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
}

// count tells how many requests the command makes.
func (h *harness) count(ctx context.Context, s scenario) (int, error) {
	f, err := h.prepared(ctx, s)
	if err != nil {
		return 0, err
	}
	defer h.forget(ctx, f)
	p, err := h.newProxy(f.dir, behaviour{})
	if err != nil {
		return 0, err
	}
	defer p.Close()
	if out, err := f.run(ctx, p.Kubeconfig, s.disturbed); s.unexpected(s.disturbed, err) {
		return 0, fmt.Errorf("%s through the proxy: %w\n%s", s.name, err, out)
	}
	return int(p.requests.Load()), nil
}

// prepared makes a new fleet in the state in which the command is disturbed.
func (h *harness) prepared(ctx context.Context, s scenario) (*fleet, error) {
	charts := s.charts
	if charts == nil {
		charts = smallCharts
	}
	// What only prepares has the lock of every day, for which no machine is too busy.
	everyday, err := h.unhurried()
	if err != nil {
		return nil, err
	}
	f, err := h.newFleet(charts)
	if err != nil {
		return nil, err
	}
	for _, args := range s.before {
		if out, err := f.runBy(ctx, everyday, h.cluster.Kubeconfig, args); s.unexpected(args, err) {
			h.forget(ctx, f)
			return nil, fmt.Errorf("prepare %s: %w\n%s", s.name, err, out)
		}
		if err := errors.Join(h.write(ctx, f), h.bind(ctx, f)); err != nil {
			h.forget(ctx, f)
			return nil, fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	if s.prepare != nil {
		if err := s.prepare(h, ctx, f); err != nil {
			h.forget(ctx, f)
			return nil, fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	return f, nil
}

// killed kills the command after its k-th request and checks the next run.
func (h *harness) killed(ctx context.Context, s scenario, k int, want state) (o outcome) {
	f, err := h.prepared(ctx, s)
	if err != nil {
		return outcome{err: err}
	}
	defer h.forget(ctx, f)
	doomed, kill := context.WithCancel(ctx)
	defer kill()
	p, err := h.newProxy(f.dir, behaviour{
		decide: func(n int, _ *http.Request) verdict {
			if n > k {
				return hold
			}
			return pass
		},
		after: func(n int) {
			if n == k {
				kill()
			}
		},
	})
	if err != nil {
		return outcome{err: err}
	}
	out, err := f.run(doomed, p.Kubeconfig, s.disturbed)
	finished := doomed.Err() == nil
	kill()
	p.Close()
	where := fmt.Sprintf("%s, killed after request %d (%s)", s.name, k, p.request(k))
	if finished && s.unexpected(s.disturbed, err) {
		return outcome{err: fmt.Errorf("%s: it failed by itself: %w\n%s", where, err, out)}
	}
	if !s.purges {
		if err := h.write(ctx, f); err != nil {
			o.unread = fmt.Errorf("%s: %w", where, err)
		}
	}
	if o.asked = len(f.written) > 0; o.asked && o.unread == nil {
		if err := h.readable(ctx, f, s.purges); err != nil {
			o.unread = fmt.Errorf("%s: not readable: %w", where, err)
		}
	}
	o.took, o.err = h.ended(ctx, f, s, finished, want, where)
	if o.err == nil && o.asked {
		if err := h.readable(ctx, f, s.purges); err != nil {
			o.err = fmt.Errorf("%s: not readable after the next run: %w", where, err)
		}
	}
	return o
}

// ended checks where a disturbed fleet ends: as it is, if the run has succeeded
// all the same, or after the next run.
func (h *harness) ended(ctx context.Context, f *fleet, s scenario, succeeded bool, want state, where string) (time.Duration, error) {
	again := s.again
	if again == nil {
		again = s.disturbed
	}
	if succeeded && s.again == nil {
		again = nil
	}
	return h.recovers(ctx, f, s, again, want, where)
}

// recovers runs the next command, if there is one, undisturbed, and compares
// where it ends.
func (h *harness) recovers(ctx context.Context, f *fleet, s scenario, args []string, want state, where string) (time.Duration, error) {
	began := time.Now()
	var out string
	var err error
	if args != nil {
		out, err = f.run(ctx, h.cluster.Kubeconfig, args)
	}
	took := time.Since(began)
	if s.unexpected(args, err) {
		return took, fmt.Errorf("%s: the next run failed: %w\n%s", where, err, out)
	}
	got, err := h.settled(ctx, f, want, time.Minute)
	if err != nil {
		return took, err
	}
	if found := differences(want, got); len(found) > 0 {
		return took, fmt.Errorf("%s: the next run did not end where it should:\n  %s\n%s", where, strings.Join(found, "\n  "), out)
	}
	if err := h.samePods(ctx, f); err != nil {
		return took, fmt.Errorf("%s: %w", where, err)
	}
	return took, nil
}

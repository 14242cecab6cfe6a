package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// trouble is how runs with random faults went.
type trouble struct {
	name string
	runs int
	// faults were injected, finished runs survived them all by themselves.
	faults, finished int
	survived         int
	slowest          time.Duration
}

// disturb runs a scenario's command several times while one in ten requests is
// throttled, answered with an error or loses its connection, before or after it
// is executed. The command may fail; the next run must then finish its work.
func (h *harness) disturb(ctx context.Context, s scenario, runs int) (*trouble, error) {
	want, err := h.undisturbed(ctx, s)
	if err != nil {
		return nil, err
	}
	t := &trouble{name: s.name, runs: runs}
	var mutex sync.Mutex
	seeds := make(chan int)
	var workers sync.WaitGroup
	for range h.parallel {
		workers.Go(func() {
			for seed := range seeds {
				one, err := h.disturbed(ctx, s, uint64(seed), want)
				mutex.Lock()
				t.faults += one.faults
				t.finished += one.finished
				t.slowest = max(t.slowest, one.slowest)
				if err == nil {
					t.survived++
				} else {
					h.say("%s", err)
				}
				mutex.Unlock()
			}
		})
	}
	for seed := range runs {
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	return t, ctx.Err()
}

func (h *harness) disturbed(ctx context.Context, s scenario, seed uint64, want state) (one trouble, err error) {
	f, err := h.prepared(ctx, s)
	if err != nil {
		return one, err
	}
	defer h.forget(ctx, f)
	dice := newDice(seed)
	p, err := h.newProxy(f.dir, behaviour{decide: dice.decide})
	if err != nil {
		return one, err
	}
	began := time.Now()
	out, runErr := f.run(ctx, p.Kubeconfig, s.disturbed)
	p.Close()
	one.faults, one.slowest = int(dice.faults.Load()), time.Since(began)
	where := fmt.Sprintf("%s, random faults with seed %d", s.name, seed)
	if runErr == nil {
		one.finished = 1
	} else {
		h.say("%s: stopped: %s", where, lastLine(out))
	}
	if !s.purges {
		if err := h.write(ctx, f); err != nil {
			return one, fmt.Errorf("%s: %w", where, err)
		}
	}
	_, err = h.ended(ctx, f, s, runErr == nil, want, where)
	if err != nil && out != "" {
		err = fmt.Errorf("%w\nThe disturbed run said:\n%s", err, out)
	}
	return one, err
}

// dice decide which requests are disturbed, and how.
type dice struct {
	mutex  sync.Mutex
	random *rand.Rand
	faults atomic.Int64
}

func newDice(seed uint64) *dice { return &dice{random: rand.New(rand.NewPCG(seed, 0))} }

func (d *dice) decide(_ int, r *http.Request) verdict {
	d.mutex.Lock()
	hit, kind := d.random.IntN(10) == 0, d.random.IntN(4)
	d.mutex.Unlock()
	if !hit {
		return pass
	}
	d.faults.Add(1)
	v := []verdict{throttle, fail, drop, swallow}[kind]
	if v == swallow && r.URL.Query().Has("watch") {
		// A watch that is executed never ends.
		return drop
	}
	return v
}

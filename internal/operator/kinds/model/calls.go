package model

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// A load that failed is tried again after a while, which doubles.
const (
	firstPause   = 5 * time.Second
	longestPause = 5 * time.Minute
	// parallelLoads is how many loads run at a time in one namespace: workers that
	// never answer hold up nobody else's.
	parallelLoads = 32
)

// loading is one adapter that one worker is to load for a model.
type loading struct {
	model              types.NamespacedName
	worker, name, from string
}

// progress is how far a load has come.
type progress struct {
	running, succeeded bool
	// err is how the last attempt ended, nil if it went well; next is when another
	// may begin.
	err      error
	failures int
	next     time.Time
}

func (p progress) String() string {
	switch {
	case p.err != nil:
		return "cannot load it: " + reason(p.err)
	default:
		return "loads it"
	}
}

// calls are the loads that run and those that have ended. A load takes as long as
// the download of the adapter, so nobody waits for it: its end wakes the model.
type calls struct {
	ended chan event.GenericEvent

	mu    sync.Mutex
	loads map[loading]*progress
	// running counts the loads under way, by namespace.
	running map[string]int
	// unseen is since when a model that all workers of a graph have is not listed
	// by its frontends, and how often that was mended.
	unseen map[sight]absence
}

// sight is a model that is looked for at the frontends of a graph.
type sight struct {
	model types.NamespacedName
	graph string
}

type absence struct {
	since time.Time
	tries int
}

func newCalls() *calls {
	return &calls{
		ended: make(chan event.GenericEvent, 1024),
		loads: map[loading]*progress{}, running: map[string]int{}, unseen: map[sight]absence{},
	}
}

// ensure starts a load that does not run and need not wait after a failure, and
// tells how far it is.
func (c *calls) ensure(what loading, do func(context.Context) error) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.loads[what]
	if p == nil {
		p = &progress{}
		c.loads[what] = p
	}
	if p.running || time.Now().Before(p.next) {
		return p.String()
	}
	if c.running[what.model.Namespace] >= parallelLoads {
		return "waits until others have loaded theirs"
	}
	p.running = true
	c.running[what.model.Namespace]++
	go c.run(what, p, do)
	return p.String()
}

// succeeded reports whether a worker has loaded an adapter for us.
func (c *calls) succeeded(what loading) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loads[what] != nil && c.loads[what].succeeded
}

func (c *calls) run(what loading, p *progress, do func(context.Context) error) {
	err := do(context.Background())
	if wanted := c.end(what, p, err); !wanted && err == nil {
		// The model has changed or gone meanwhile, and what was unloaded then was
		// not there yet.
		_ = unload(context.Background(), what.worker, what.name)
	}
	c.wake(what.model)
}

// end notes how a load ended, and tells whether anybody still wants it.
func (c *calls) end(what loading, p *progress, err error) (wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[what.model.Namespace]--; c.running[what.model.Namespace] == 0 {
		delete(c.running, what.model.Namespace)
	}
	p.running, p.err, p.succeeded = false, err, err == nil
	if err == nil {
		p.failures, p.next = 0, time.Time{}
	} else {
		p.next = time.Now().Add(min(firstPause<<min(p.failures, 10), longestPause))
		p.failures++
	}
	return c.loads[what] != nil
}

func (c *calls) wake(model types.NamespacedName) {
	c.ended <- event.GenericEvent{Object: &v1alpha1.DynamoModel{ObjectMeta: metav1.ObjectMeta{Namespace: model.Namespace, Name: model.Name}}}
}

// keep forgets the loads of a model that are not among those that it needs.
func (c *calls) keep(model types.NamespacedName, needed map[loading]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what := range c.loads {
		if what.model == model && !needed[what] {
			delete(c.loads, what)
		}
	}
	if len(needed) > 0 {
		return
	}
	for what := range c.unseen {
		if what.model == model {
			delete(c.unseen, what)
		}
	}
}

// missed notes whether a model is listed where it should be, and tells whether it
// is time to mend that: after a while, which doubles.
func (c *calls) missed(what sight, seen bool) (mend bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seen {
		delete(c.unseen, what)
		return false
	}
	a, known := c.unseen[what]
	if !known {
		a.since = time.Now()
	}
	if mend = time.Since(a.since) > unlisted<<min(a.tries, 5); mend {
		a.since, a.tries = time.Now(), a.tries+1
	}
	c.unseen[what] = a
	return mend
}

// Package await waits: for objects to be ready or gone, for hooks to end, for
// webhooks to answer. One watch per kind serves everybody who waits.
package await

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
)

// Waiter waits for objects, on watches that it shares.
type Waiter struct {
	session *session.Session
	watches *hub
}

// New makes a Waiter. Close ends its watches.
func New(s *session.Session) *Waiter { return &Waiter{session: s, watches: newHub(s.Dynamic)} }

// Close ends all watches.
func (w *Waiter) Close() { w.watches.close() }

// selection is what one watch follows.
type selection struct {
	resource schema.GroupVersionResource
	// namespace is empty for all namespaces.
	namespace string
	labels    string
	fields    string
}

// hub shares watches: however many releases wait for Deployments, one watch
// follows them all.
type hub struct {
	client  dynamic.Interface
	ctx     context.Context
	cancel  context.CancelFunc
	mutex   sync.Mutex
	follows map[selection]*follow
}

func newHub(client dynamic.Interface) *hub {
	ctx, cancel := context.WithCancel(context.Background())
	return &hub{client: client, ctx: ctx, cancel: cancel, follows: map[selection]*follow{}}
}

func (h *hub) close() { h.cancel() }

// follow is one running watch and the latest state of what it selects.
type follow struct {
	store  cache.Store
	synced func() bool

	mutex   sync.Mutex
	changed chan struct{}
	failure error
}

// follow starts the watch of a selection, or joins it.
func (h *hub) follow(s selection) *follow {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if f, ok := h.follows[s]; ok {
		return f
	}
	f := &follow{changed: make(chan struct{})}
	informer := cache.NewSharedIndexInformer(h.listWatch(s), &unstructured.Unstructured{}, 0, cache.Indexers{})
	f.store, f.synced = informer.GetStore(), informer.HasSynced
	// Neither call fails before the informer runs.
	_ = informer.SetTransform(slim)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { f.fail(err) })
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { f.notify() },
		UpdateFunc: func(any, any) { f.notify() },
		DeleteFunc: func(any) { f.notify() },
	})
	h.follows[s] = f
	go informer.RunWithContext(h.ctx)
	go func() {
		cache.WaitForCacheSync(h.ctx.Done(), informer.HasSynced)
		f.notify()
	}()
	return f
}

func (h *hub) listWatch(s selection) *cache.ListWatch {
	resource := h.client.Resource(s.resource).Namespace(s.namespace)
	narrow := func(o *metav1.ListOptions) { o.LabelSelector, o.FieldSelector = s.labels, s.fields }
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			narrow(&o)
			return resource.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			narrow(&o)
			return resource.Watch(ctx, o)
		},
	}
}

// slim drops what nobody here reads, above all CRD schemas.
func slim(object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	u.SetManagedFields(nil)
	if u.GetKind() == "CustomResourceDefinition" {
		unstructured.RemoveNestedField(u.Object, "spec", "versions")
	}
	return u, nil
}

func (f *follow) notify() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// fail remembers an error that will not pass by itself.
func (f *follow) fail(err error) {
	if !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		return
	}
	f.mutex.Lock()
	f.failure = err
	f.mutex.Unlock()
	f.notify()
}

// state returns the latest object, nil if there is none yet, and a channel
// that closes at the next change.
func (f *follow) state(namespace, name string) (*unstructured.Unstructured, <-chan struct{}, error) {
	f.mutex.Lock()
	changed, failure := f.changed, f.failure
	f.mutex.Unlock()
	if failure != nil {
		return nil, changed, failure
	}
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	item, exists, err := f.store.GetByKey(key)
	if err != nil || !exists {
		return nil, changed, err
	}
	u, ok := item.(*unstructured.Unstructured)
	if !ok {
		return nil, changed, fmt.Errorf("unexpected %T in a watch", item)
	}
	return u, changed, nil
}

// verdict is the state of one object that somebody waits for.
type verdict struct {
	ready bool
	// failed means that waiting longer is of no use.
	failed  bool
	message string
}

// judgement tells how an object is; nil is one that does not exist.
type judgement func(*unstructured.Unstructured) verdict

// await blocks until judge says ready. It gives up when judge says failed, or
// when no new message has come for the patience: moving is not failing.
func (f *follow) await(ctx context.Context, namespace, name string, patience time.Duration,
	judge judgement, report func(string),
) error {
	if err := f.awaitSync(ctx); err != nil {
		return err
	}
	seen := map[string]bool{}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		object, changed, err := f.state(namespace, name)
		if err != nil {
			return err
		}
		r := judge(object)
		switch {
		case r.ready:
			return nil
		case r.failed:
			return &notReady{message: r.message}
		case !seen[r.message]:
			seen[r.message] = true
			report(r.message)
			timer.Reset(patience)
		}
		select {
		case <-changed:
		case <-timer.C:
			if patience < 500*time.Millisecond {
				// A glance, not a wait.
				return &notReady{message: r.message}
			}
			return &notReady{message: fmt.Sprintf("%s; no progress for %s", r.message, patience)}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// await follows an object in the watch that all releases share or, for a user who
// may not watch the whole cluster, in one of its namespace.
func (h *hub) await(ctx context.Context, s selection, namespace, name string, patience time.Duration,
	judge judgement, report func(string),
) error {
	err := h.follow(s).await(ctx, namespace, name, patience, judge, report)
	if namespace == "" || !apierrors.IsForbidden(err) {
		return err
	}
	s.namespace = namespace
	return h.follow(s).await(ctx, namespace, name, patience, judge, report)
}

// syncTimeout bounds the first read of a watch, which patience does not cover.
const syncTimeout = time.Minute

// awaitSync blocks until the watch has seen what exists.
func (f *follow) awaitSync(ctx context.Context) error {
	timer := time.NewTimer(syncTimeout)
	defer timer.Stop()
	for !f.synced() {
		_, changed, err := f.state("", "")
		if err != nil {
			return err
		}
		if f.synced() {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("no answer within %s", syncTimeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// notReady is the error of a wait that ended without readiness.
type notReady struct{ message string }

func (e *notReady) Error() string { return e.message }

package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const fieldManager = "dynamo-worker"

var (
	metadataResource = schema.GroupVersionResource{Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamoworkermetadatas"}
	sliceResource    = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")
)

// Registry writes this pod's DynamoWorkerMetadata.
type Registry struct {
	objects  dynamic.ResourceInterface
	identity Identity

	mu  sync.Mutex
	uid string // of the object that Register wrote
}

// NewRegistry makes a registry for one pod.
func NewRegistry(config *rest.Config, identity Identity) (*Registry, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return &Registry{objects: client.Resource(metadataResource).Namespace(identity.Namespace), identity: identity}, nil
}

// Register server-side-applies the pod's metadata. It may be called again when
// the data change; what is no longer in data is removed.
func (r *Registry) Register(ctx context.Context, data Data) error {
	object, err := r.object(data)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	written, err := r.objects.Apply(ctx, r.identity.Pod, object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("write DynamoWorkerMetadata %s/%s: %w", r.identity.Namespace, r.identity.Pod, err)
	}
	r.uid = string(written.GetUID())
	return nil
}

// Unregister removes the object that Register wrote, and no other of that name.
func (r *Registry) Unregister(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uid == "" {
		return nil
	}
	err := r.objects.Delete(ctx, r.identity.Pod, *metav1.NewPreconditionDeleteOptions(r.uid))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("remove DynamoWorkerMetadata %s/%s: %w", r.identity.Namespace, r.identity.Pod, err)
	}
	r.uid = ""
	return nil
}

func (r *Registry) object(data Data) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&data)
	if err != nil {
		return nil, fmt.Errorf("encode worker metadata: %w", err)
	}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"data": fields}}}
	object.SetAPIVersion(metadataResource.GroupVersion().String())
	object.SetKind("DynamoWorkerMetadata")
	object.SetName(r.identity.Pod)
	object.SetNamespace(r.identity.Namespace)
	object.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: "v1", Kind: "Pod", Name: r.identity.Pod, UID: types.UID(r.identity.UID),
		Controller: new(true), BlockOwnerDeletion: new(false),
	}})
	return object, nil
}

// Watcher keeps a View of one Kubernetes namespace up to date.
type Watcher struct {
	scope     Scope
	log       *slog.Logger
	slices    cache.SharedInformer
	workers   cache.SharedInformer
	resolving sync.Mutex // so that an older view never replaces a newer one
	view      atomic.Pointer[View]
	lastError atomic.Pointer[string]
}

// NewWatcher prepares a watch of a Kubernetes namespace for a frontend of the
// given scope. Run starts it.
func NewWatcher(config *rest.Config, kubeNamespace string, scope Scope, log *slog.Logger) (*Watcher, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	w := &Watcher{scope: scope, log: log}
	w.view.Store(&View{})
	w.slices = w.informer(client.Resource(sliceResource).Namespace(kubeNamespace), EnabledLabel+"=true")
	w.workers = w.informer(client.Resource(metadataResource).Namespace(kubeNamespace), "")
	return w, nil
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, informer := range []cache.SharedInformer{w.slices, w.workers} {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	running.Wait()
}

// View is the newest view; never nil.
func (w *Watcher) View() *View { return w.view.Load() }

// Ready says why the view is not complete yet; nil once it is.
func (w *Watcher) Ready() error {
	if w.slices.HasSynced() && w.workers.HasSynced() {
		return nil
	}
	if reason := w.lastError.Load(); reason != nil {
		return errors.New(*reason)
	}
	return errors.New("the first list of workers has not arrived yet")
}

func (w *Watcher) informer(client dynamic.ResourceInterface, selector string) cache.SharedInformer {
	informer := cache.NewSharedInformer(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return client.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return client.Watch(ctx, o)
		},
	}, &unstructured.Unstructured{}, 0)
	refresh := func() {
		w.resolving.Lock()
		defer w.resolving.Unlock()
		w.view.Store(w.resolve())
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { refresh() },
		UpdateFunc: func(any, any) { refresh() },
		DeleteFunc: func(any) { refresh() },
	})
	err = errors.Join(err, informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { w.failed(err) }))
	if err != nil {
		w.failed(err)
	}
	return informer
}

// failed logs a watch error once, however often it repeats.
func (w *Watcher) failed(err error) {
	text := err.Error()
	if old := w.lastError.Swap(&text); old == nil || *old != text {
		w.log.Warn("watching for workers failed, will be tried again", "error", text)
	}
}

func (w *Watcher) resolve() *View {
	var found []*discoveryv1.EndpointSlice
	for _, object := range w.slices.GetStore().List() {
		slice := &discoveryv1.EndpointSlice{}
		if w.decode(object, slice) {
			found = append(found, slice)
		}
	}
	var workers []Worker
	for _, object := range w.workers.GetStore().List() {
		var content struct {
			Spec struct {
				Data Data `json:"data"`
			} `json:"spec"`
		}
		if w.decode(object, &content) {
			workers = append(workers, Worker{Pod: nameOf(object), PodUID: ownerPod(object), Data: content.Spec.Data})
		}
	}
	return Resolve(found, workers, w.scope)
}

// decode reads one object. What a worker pod wrote may be malformed; that must
// cost only this worker.
func (w *Watcher) decode(object, into any) bool {
	raw, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		w.log.Warn("an object cannot be read and is ignored", "name", nameOf(object), "error", err)
	}
	return err == nil
}

func nameOf(object any) string { return object.(*unstructured.Unstructured).GetName() }

func ownerPod(object any) string {
	for _, owner := range object.(*unstructured.Unstructured).GetOwnerReferences() {
		if owner.Kind == "Pod" && owner.Name == nameOf(object) {
			return string(owner.UID)
		}
	}
	return ""
}

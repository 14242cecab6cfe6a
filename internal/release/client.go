package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// hookTimeout bounds Helm's own waiting around hooks, for example until the
// last run of one is deleted.
const hookTimeout = 5 * time.Minute

// parallelObjects bounds the concurrent writes of one release.
const parallelObjects = 8

// client is Helm's view of the cluster, with what makes it slow or surprising
// replaced: no reachability probe per release, no OpenAPI download, writes in
// parallel within a tier, no read before each write, no watcher of its own.
type client struct {
	*kube.Client
	session *session.Session
	release fleet.Key
	hooks   Cluster
	fields  rollout.Fields
	// migrate moves the fields that other clients of the release recorded as
	// theirs to our manager, before each write.
	migrate bool
	// fresh is set for an install into a namespace that has just been created.
	fresh bool
	// planned is what is built in place of a placeholder.
	planned *chart.Rendered
	// waiting waits for a hook that runs.
	waiting func(kind, namespace, name string) error
	// replaces are objects that cannot change in place, and makeWay deletes one.
	replaces map[string]*rollout.Replacement
	makeWay  func(object *resource.Info, r *rollout.Replacement) error
	// reach bounds what is deleted, but for what trusted names: the objects of
	// records that we wrote.
	reach   rollout.Reach
	trusted map[objectID]bool
	// left is what should have been deleted and was not, and why.
	left      []string
	leftMutex sync.Mutex
	// strays are manifests of interrupted attempts, whose objects an update
	// deletes too if the target has no use for them.
	strays string
}

var (
	_ kube.Interface            = (*client)(nil)
	_ kube.InterfaceWaitOptions = (*client)(nil)
)

func newClient(ctx context.Context, s *session.Session, hooks Cluster, release fleet.Key, log slog.Handler, fields rollout.Fields, migrate bool) *client {
	c := kube.New(s)
	c.Namespace = release.Namespace
	c.SetLogger(log)
	wait := func(kind, namespace, name string) error {
		switch kind {
		case "Job.batch":
			return hooks.AwaitJob(ctx, namespace, name, rollout.WaitingOf(ctx))
		case "Pod":
			return hooks.AwaitPod(ctx, namespace, name, rollout.WaitingOf(ctx))
		default:
			return nil // there when it is created
		}
	}
	makeWay := func(object *resource.Info, r *rollout.Replacement) error {
		return hooks.MakeWay(context.WithoutCancel(ctx), object.Mapping.Resource, object.Namespace, object.Name, r, rollout.WaitingOf(ctx))
	}
	return &client{Client: c, session: s, hooks: hooks, release: release, fields: fields, migrate: migrate, waiting: wait, makeWay: makeWay}
}

// IsReachable is answered once per run, by the session.
func (c *client) IsReachable() error { return nil }

// Build parses a manifest. The API server validates what is applied.
func (c *client) Build(manifest io.Reader, _ bool) (kube.ResourceList, error) {
	text, err := c.text(manifest)
	if err != nil {
		return nil, err
	}
	objects, err := c.Client.Build(strings.NewReader(text), false)
	if c.fresh {
		unasked(objects)
	}
	return objects, err
}

// text is what a manifest stands for: the plan, or what of a record there can be today.
func (c *client) text(manifest io.Reader) (string, error) {
	given, err := io.ReadAll(manifest)
	if err != nil {
		return "", err
	}
	if c.planned != nil && string(given) == placeholderFor(c.planned) {
		planned, err := c.planned.JSON()
		return string(planned), err
	}
	return writable(string(given), c.session.VersionOf)
}

// Create applies objects that the release did not have before.
func (c *client) Create(objects kube.ResourceList, _ ...kube.ClientCreateOption) (*kube.Result, error) {
	if len(objects) == 0 {
		return &kube.Result{}, nil
	}
	return &kube.Result{Created: objects}, c.apply(objects)
}

// Update applies the target and deletes what it no longer has.
func (c *client) Update(originals, targets kube.ResourceList, _ ...kube.ClientUpdateOption) (*kube.Result, error) {
	strays, err := c.existing(c.strays)
	if err != nil {
		return &kube.Result{}, err
	}
	originals = append(originals, strays.Difference(originals)...)
	result := &kube.Result{Updated: targets}
	if err := c.apply(targets); err != nil {
		return result, err
	}
	for _, gone := range originals.Difference(targets) {
		deleted, err := c.remove(gone)
		if err != nil {
			return result, err
		}
		if deleted {
			result.Deleted = append(result.Deleted, gone)
		}
	}
	return result, nil
}

// apply writes objects tier by tier, so that what others need exists first.
func (c *client) apply(objects kube.ResourceList) error {
	tiers := byTier(objects)
	for t := range lastTier + 1 {
		var group errgroup.Group
		group.SetLimit(parallelObjects)
		for _, object := range tiers[t] {
			group.Go(func() error { return c.applyOne(object) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

const lastTier = 3

func byTier(objects kube.ResourceList) map[int]kube.ResourceList {
	tiers := map[int]kube.ResourceList{}
	for _, object := range objects {
		t := tier(object.Mapping.GroupVersionKind.Kind)
		tiers[t] = append(tiers[t], object)
	}
	return tiers
}

// tier orders kinds: what defines, what is used, what runs, what intercepts.
func tier(kind string) int {
	switch kind {
	case "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass":
		return 0
	case "ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "LimitRange",
		"Role", "ClusterRole", "Service", "NetworkPolicy", "PodDisruptionBudget":
		return 1
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService":
		return lastTier
	default:
		// Bindings, too: only administrators may bind a role that is not there yet.
		return 2
	}
}

// applyOne writes an object, but for the fields that are left to others.
func (c *client) applyOne(object *resource.Info) error {
	wanted, ok := object.Object.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("apply %s: unexpected %T", describe(object), object.Object)
	}
	change := rollout.Change{Kind: wanted.GetKind(), Namespace: object.Namespace, Name: object.Name}
	if r := c.replaces[change.String()]; r != nil {
		if err := c.makeWay(object, r); err != nil {
			return fmt.Errorf("replace %s: %w", describe(object), err)
		}
	}
	// An operation that has begun is finished.
	ctx := context.Background()
	if err := c.beginCRD(ctx, object, wanted); err != nil {
		return fmt.Errorf("apply %s: %w", describe(object), err)
	}
	applied, err := c.applyObject(ctx, object, wanted)
	switch {
	case errors.As(err, new(*apply.ConflictError)):
		return err
	case err != nil:
		return fmt.Errorf("apply %s: %w", describe(object), err)
	}
	return object.Refresh(applied, true)
}

func (c *client) applyObject(ctx context.Context, object *resource.Info, wanted *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	applier := apply.Applier{Release: c.release, Fields: c.fields, Migrate: c.migrate}
	return applier.Apply(ctx, c.session.ClientFor(object.Mapping.Resource, object.Namespace), wanted, reader(object))
}

// beginCRD makes a new CRD whose objects a webhook converts, for now with the version
// alone in which they are stored, and has it trust the webhook, whose certificate is
// made before. So a run that ends here leaves no version that cannot be read.
func (c *client) beginCRD(ctx context.Context, object *resource.Info, wanted *unstructured.Unstructured) error {
	if !apply.Withholds(wanted) {
		return nil
	}
	if live, err := reader(object)(ctx); err != nil || live != nil {
		return err
	}
	if _, err := c.applyObject(ctx, object, apply.Withheld(wanted)); err != nil {
		return err
	}
	return c.hooks.TrustDefinition(ctx, wanted)
}

// reader reads an object as Helm's own clients do, which know of namespaces in
// which nothing can be.
func reader(object *resource.Info) apply.Read {
	return func(context.Context) (*unstructured.Unstructured, error) {
		found, err := resource.NewHelper(object.Client, object.Mapping).Get(object.Namespace, object.Name)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", describe(object), err)
		}
		live, ok := found.(*unstructured.Unstructured)
		if !ok {
			return nil, fmt.Errorf("read %s: unexpected %T", describe(object), found)
		}
		return live, nil
	}
}

// remove deletes an object that left its release, unless it carries a keep
// policy, belongs to another release by now or has gone already. What does not
// carry the marks of this release stays too, whatever the record says.
func (c *client) remove(object *resource.Info) (bool, error) {
	err := object.Get()
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", describe(object), err)
	}
	live, err := meta.Accessor(object.Object)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", describe(object), err)
	}
	if live.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy || marks.BelongsElsewhere(live, c.release) {
		return false, nil
	}
	if why := c.notOurs(object, live); why != "" {
		c.leave(describe(object) + ": " + why)
		return false, nil
	}
	uid := live.GetUID()
	propagation := metav1.DeletePropagationBackground
	_, err = resource.NewHelper(object.Client, object.Mapping).DeleteWithOptions(object.Namespace, object.Name,
		&metav1.DeleteOptions{PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("delete %s: %w", describe(object), err)
	}
	return true, nil
}

func describe(object *resource.Info) string {
	kind := object.Mapping.GroupVersionKind.Kind
	if object.Namespace == "" {
		return kind + " " + object.Name
	}
	return kind + " " + object.Namespace + "/" + object.Name
}

// GetWaiter returns the waiter for hooks.
func (c *client) GetWaiter(strategy kube.WaitStrategy) (kube.Waiter, error) {
	return c.GetWaiterWithOptions(strategy)
}

// GetWaiterWithOptions returns a waiter that leaves objects to the rollout's
// gates and waits for hooks itself: it tells for what, and ends with the cause.
func (c *client) GetWaiterWithOptions(kube.WaitStrategy, ...kube.WaitOption) (kube.Waiter, error) {
	return &hookWaiter{client: c}, nil
}

type hookWaiter struct{ client *client }

func (w *hookWaiter) Wait(kube.ResourceList, time.Duration) error          { return nil }
func (w *hookWaiter) WaitWithJobs(kube.ResourceList, time.Duration) error  { return nil }
func (w *hookWaiter) WaitForDelete(kube.ResourceList, time.Duration) error { return nil }

func (w *hookWaiter) WatchUntilReady(hooks kube.ResourceList, _ time.Duration) error {
	for _, hook := range hooks {
		if err := w.client.waiting(hook.Mapping.GroupVersionKind.GroupKind().String(), hook.Namespace, hook.Name); err != nil {
			return err
		}
	}
	return nil
}

// GetPodList serves the logs of failed hooks.
func (c *client) GetPodList(namespace string, options metav1.ListOptions) (*corev1.PodList, error) {
	if err := c.Client.IsReachable(); err != nil {
		return nil, err
	}
	return c.Client.GetPodList(namespace, options)
}

package release

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster"
)

// hookTimeout bounds the hooks of third-party charts; ours have none.
const hookTimeout = 5 * time.Minute

// parallelObjects bounds the concurrent writes of one release.
const parallelObjects = 8

// client is Helm's view of the cluster, with what makes it slow or surprising
// replaced: no reachability probe per release, no OpenAPI download, writes in
// parallel within a tier, no read before each write, no watcher of its own.
type client struct {
	*kube.Client
	force bool
	// foreign is set for a release that another program wrote so far: its
	// field managers may need Helm's migration.
	foreign bool
	// fresh is set for an install into a namespace that has just been created.
	fresh bool
}

var (
	_ kube.Interface            = (*client)(nil)
	_ kube.InterfaceWaitOptions = (*client)(nil)
)

func newClient(session *cluster.Session, namespace string, log slog.Handler, force, foreign bool) *client {
	c := kube.New(session)
	c.Namespace = namespace
	c.SetLogger(log)
	return &client{Client: c, force: force, foreign: foreign}
}

// IsReachable is answered once per run, by the session.
func (c *client) IsReachable() error { return nil }

// Build parses a manifest. The API server validates what is applied.
func (c *client) Build(manifest io.Reader, _ bool) (kube.ResourceList, error) {
	objects, err := c.Client.Build(manifest, false)
	if c.fresh {
		unasked(objects)
	}
	return objects, err
}

// Create applies objects that the release did not have before.
func (c *client) Create(objects kube.ResourceList, _ ...kube.ClientCreateOption) (*kube.Result, error) {
	if len(objects) == 0 {
		return &kube.Result{}, nil
	}
	return &kube.Result{Created: objects}, c.apply(objects)
}

// Update applies the target and deletes what it no longer has.
func (c *client) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	if c.foreign {
		return c.Client.Update(originals, targets, options...)
	}
	result := &kube.Result{Updated: targets}
	if err := c.apply(targets); err != nil {
		return result, err
	}
	for _, gone := range originals.Difference(targets) {
		deleted, err := remove(gone)
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
	tiers := map[int]kube.ResourceList{}
	for _, object := range objects {
		t := tier(object.Mapping.GroupVersionKind.Kind)
		tiers[t] = append(tiers[t], object)
	}
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

// tier orders kinds: what defines, what is used, what runs, what intercepts.
func tier(kind string) int {
	switch kind {
	case "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass":
		return 0
	case "ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "LimitRange",
		"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Service", "NetworkPolicy", "PodDisruptionBudget":
		return 1
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService":
		return lastTier
	default:
		return 2
	}
}

func (c *client) applyOne(object *resource.Info) error {
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, object.Object)
	if err != nil {
		return fmt.Errorf("encode %s: %w", describe(object), err)
	}
	helper := resource.NewHelper(object.Client, object.Mapping).
		WithFieldManager(cluster.FieldManager).
		WithFieldValidation(metav1.FieldValidationStrict)
	applied, err := helper.Patch(object.Namespace, object.Name, types.ApplyPatchType, data, &metav1.PatchOptions{Force: &c.force})
	if err != nil {
		return fmt.Errorf("apply %s: %w", describe(object), err)
	}
	return object.Refresh(applied, true)
}

var metadataOf = meta.NewAccessor()

// remove deletes an object that left its release, unless it carries a keep
// policy or has gone already.
func remove(object *resource.Info) (bool, error) {
	err := object.Get()
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", describe(object), err)
	}
	annotations, err := metadataOf.Annotations(object.Object)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", describe(object), err)
	}
	if annotations[kube.ResourcePolicyAnno] == kube.KeepPolicy {
		return false, nil
	}
	propagation := metav1.DeletePropagationBackground
	_, err = resource.NewHelper(object.Client, object.Mapping).
		DeleteWithOptions(object.Namespace, object.Name, &metav1.DeleteOptions{PropagationPolicy: &propagation})
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

// conflictAdvice says what to do about fields that others own.
func conflictAdvice(err error) string {
	if !apierrors.IsConflict(rootStatus(err)) || !strings.Contains(err.Error(), "conflict with") {
		return ""
	}
	return "; another program owns these fields: remove them from the values, or take them over with --force-conflicts"
}

func rootStatus(err error) error {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return status
	}
	return nil
}

// GetWaiter returns the waiter for hooks.
func (c *client) GetWaiter(strategy kube.WaitStrategy) (kube.Waiter, error) {
	return c.GetWaiterWithOptions(strategy)
}

// GetWaiterWithOptions returns a waiter that leaves objects to the rollout's
// gates and only opens Helm's own watcher when a chart has hooks.
func (c *client) GetWaiterWithOptions(strategy kube.WaitStrategy, options ...kube.WaitOption) (kube.Waiter, error) {
	return &hookWaiter{open: func() (kube.Waiter, error) { return c.Client.GetWaiterWithOptions(strategy, options...) }}, nil
}

type hookWaiter struct {
	open func() (kube.Waiter, error)
}

func (w *hookWaiter) Wait(kube.ResourceList, time.Duration) error          { return nil }
func (w *hookWaiter) WaitWithJobs(kube.ResourceList, time.Duration) error  { return nil }
func (w *hookWaiter) WaitForDelete(kube.ResourceList, time.Duration) error { return nil }

func (w *hookWaiter) WatchUntilReady(hooks kube.ResourceList, timeout time.Duration) error {
	waiter, err := w.open()
	if err != nil {
		return err
	}
	return waiter.WatchUntilReady(hooks, timeout)
}

// GetPodList serves the logs of failed hooks.
func (c *client) GetPodList(namespace string, options metav1.ListOptions) (*corev1.PodList, error) {
	if err := c.Client.IsReachable(); err != nil {
		return nil, err
	}
	return c.Client.GetPodList(namespace, options)
}

package objects

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Namespaces tells the state of each named namespace. It lists all with one
// request where it may, and asks for each where it may not.
func (o *Objects) Namespaces(ctx context.Context, names []string) (map[string]rollout.NamespaceState, error) {
	out := make(map[string]rollout.NamespaceState, len(names))
	for _, name := range names {
		out[name] = rollout.NamespaceAbsent
	}
	// The API server's cache will do for what is there; absence is asked again.
	for _, version := range []string{"0", ""} {
		list, err := o.session.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{ResourceVersion: version})
		if apierrors.IsForbidden(err) {
			return out, o.eachNamespace(ctx, names, out)
		}
		if err != nil {
			return nil, o.session.Explain("list namespaces", err)
		}
		absent := len(out)
		for _, ns := range list.Items {
			if _, asked := out[ns.Name]; asked {
				out[ns.Name] = stateOf(&ns)
				absent--
			}
		}
		if absent == 0 {
			break
		}
	}
	return out, nil
}

func (o *Objects) eachNamespace(ctx context.Context, names []string, out map[string]rollout.NamespaceState) error {
	for _, name := range names {
		ns, err := o.session.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			out[name] = rollout.NamespaceAbsent
		case err != nil:
			return o.session.Explain("read namespace "+name, err)
		default:
			out[name] = stateOf(ns)
		}
	}
	return nil
}

func stateOf(ns *corev1.Namespace) rollout.NamespaceState {
	if ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating {
		return rollout.NamespaceTerminating
	}
	return rollout.NamespaceActive
}

// CreateNamespace makes a namespace that carries our label. One that has
// appeared meanwhile is left as it is.
func (o *Objects) CreateNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{marks.ManagedBy: marks.ManagedByUs}}}
	_, err := o.session.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: marks.FieldManager})
	switch {
	case err == nil:
		o.created.Store(name, true)
	case !apierrors.IsAlreadyExists(err):
		return o.session.Explain("create namespace "+name, err)
	}
	return nil
}

// Fresh reports, once, that this session has created a namespace: nothing that
// could be in the way is in it yet.
func (o *Objects) Fresh(name string) bool {
	_, created := o.created.LoadAndDelete(name)
	return created
}

// DeleteNamespace removes a namespace that we created and that holds nothing, and
// waits until it, or one that goes already, is gone. It returns why it was kept, or
// "". A deletion that makes no progress for the patience is an error with what holds it.
func (o *Objects) DeleteNamespace(ctx context.Context, name string, patience time.Duration, report func(string)) (kept string, err error) {
	ns, err := o.session.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", o.session.Explain("read namespace "+name, err)
	}
	if stateOf(ns) == rollout.NamespaceActive {
		if ns.Labels[marks.ManagedBy] != marks.ManagedByUs {
			return "it was not created by wheelhouse", nil
		}
		holds, err := o.firstObject(ctx, name)
		if err != nil || holds != "" {
			return holds, err
		}
		err = o.session.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}})
		if err != nil && !apierrors.IsNotFound(err) {
			return "", o.session.Explain("delete namespace "+name, err)
		}
	}
	return "", o.awaitGone(ctx, ns, patience, report)
}

// namespaceLook is the pause between two looks at a namespace that goes: who may
// delete it may not always watch it.
const namespaceLook = time.Second

func (o *Objects) awaitGone(ctx context.Context, ns *corev1.Namespace, patience time.Duration, report func(string)) error {
	holds, moved := "", time.Now()
	for {
		found, err := o.session.Kube.CoreV1().Namespaces().Get(ctx, ns.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && found.UID != ns.UID {
			return nil
		}
		if err != nil {
			return o.session.Explain("wait for namespace "+ns.Name+" to be deleted", err)
		}
		if now := heldIn(found); now != holds {
			holds, moved = now, time.Now()
			report("namespace " + ns.Name + " " + holds)
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("namespace %s is still being deleted: %s", ns.Name, cmp.Or(holds, "Kubernetes does not say what holds it"))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(namespaceLook):
		}
	}
}

// heldIn is what Kubernetes says of what is left in a namespace that goes.
func heldIn(ns *corev1.Namespace) string {
	var says []string
	for _, c := range ns.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			says = append(says, c.Message)
		}
	}
	return strings.Join(says, "; ")
}

// firstObject names an object that keeps a namespace from being empty.
func (o *Objects) firstObject(ctx context.Context, namespace string) (string, error) {
	listed, err := Listable(o.session)
	if err != nil {
		return "", err
	}
	var mutex sync.Mutex
	var first string
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range listed {
		group.Go(func() error {
			name, err := o.firstOf(ctx, namespace, r.GroupVersionResource, r.kind)
			if name != "" {
				mutex.Lock()
				defer mutex.Unlock()
				first = "it still holds " + name
			}
			return err
		})
	}
	return first, group.Wait()
}

// ListedKind is a kind of what a namespace may hold.
type ListedKind struct {
	schema.GroupVersionResource
	kind string
}

// Listable are the kinds whose objects keep a namespace from being empty.
func Listable(s *session.Session) ([]ListedKind, error) {
	lists, err := s.Discovery.ServerPreferredNamespacedResources()
	if err != nil && len(lists) == 0 {
		return nil, s.Explain("list the cluster's APIs", err)
	}
	var out []ListedKind
	for _, list := range lists {
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && !ignoredWhenEmpty[r.Kind] {
				out = append(out, ListedKind{schema.FromAPIVersionAndKind(list.GroupVersion, "").GroupVersion().WithResource(r.Name), r.Kind})
			}
		}
	}
	return out, nil
}

func (o *Objects) firstOf(ctx context.Context, namespace string, gvr schema.GroupVersionResource, kind string) (string, error) {
	found, err := o.session.Metadata.Resource(gvr).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 20})
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return "", nil
	}
	if err != nil {
		return "", o.session.Explain("list "+gvr.Resource+" in "+namespace, err)
	}
	for _, item := range found.Items {
		if !madeByKubernetes(kind, item.Name) && item.DeletionTimestamp == nil && item.Labels[marks.Journal] == "" {
			return kind + "/" + item.Name, nil
		}
	}
	return "", nil
}

// ignoredWhenEmpty are kinds that follow others or say what happened.
var ignoredWhenEmpty = map[string]bool{"Event": true, "Endpoints": true, "EndpointSlice": true, "PodMetrics": true, "Lease": true, "ControllerRevision": true}

func madeByKubernetes(kind, name string) bool {
	return kind == "ServiceAccount" && name == "default" || kind == "ConfigMap" && name == "kube-root-ca.crt"
}

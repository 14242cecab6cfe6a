package cluster

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// ManagedByLabel marks namespaces that this program created.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedByUs    = "wheelhouse"
)

// Namespaces tells the state of each named namespace. It lists all with one
// request where it may, and asks for each where it may not.
func (s *Session) Namespaces(ctx context.Context, names []string) (map[string]rollout.NamespaceState, error) {
	out := make(map[string]rollout.NamespaceState, len(names))
	for _, name := range names {
		out[name] = rollout.NamespaceAbsent
	}
	// The API server's cache will do for what is there; absence is asked again.
	for _, version := range []string{"0", ""} {
		list, err := s.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{ResourceVersion: version})
		if apierrors.IsForbidden(err) {
			return out, s.eachNamespace(ctx, names, out)
		}
		if err != nil {
			return nil, s.explain("list namespaces", err)
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

func (s *Session) eachNamespace(ctx context.Context, names []string, out map[string]rollout.NamespaceState) error {
	for _, name := range names {
		ns, err := s.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			out[name] = rollout.NamespaceAbsent
		case err != nil:
			return s.explain("read namespace "+name, err)
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
func (s *Session) CreateNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedByUs}}}
	_, err := s.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: FieldManager})
	switch {
	case err == nil:
		s.created.Store(name, true)
	case !apierrors.IsAlreadyExists(err):
		return s.explain("create namespace "+name, err)
	}
	return nil
}

// Fresh reports, once, that this session has created a namespace: nothing that
// could be in the way is in it yet.
func (s *Session) Fresh(name string) bool {
	_, created := s.created.LoadAndDelete(name)
	return created
}

// FieldManager is the name under which the manager and Helm own fields.
const FieldManager = "helm"

// DeleteNamespace removes a namespace that we created and that holds nothing.
// It returns why it was kept, or "".
func (s *Session) DeleteNamespace(ctx context.Context, name string) (kept string, err error) {
	ns, err := s.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", s.explain("read namespace "+name, err)
	}
	if ns.Labels[ManagedByLabel] != ManagedByUs {
		return "it was not created by wheelhouse", nil
	}
	holds, err := s.firstObject(ctx, name)
	if err != nil || holds != "" {
		return holds, err
	}
	err = s.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", s.explain("delete namespace "+name, err)
	}
	return "", nil
}

// firstObject names an object that keeps a namespace from being empty.
func (s *Session) firstObject(ctx context.Context, namespace string) (string, error) {
	listed, err := s.listable()
	if err != nil {
		return "", err
	}
	var mutex sync.Mutex
	var first string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, r := range listed {
		group.Go(func() error {
			name, err := s.firstOf(ctx, namespace, r.GroupVersionResource, r.kind)
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

// listedKind is a kind of what a namespace may hold.
type listedKind struct {
	schema.GroupVersionResource
	kind string
}

// listable are the kinds whose objects keep a namespace from being empty.
func (s *Session) listable() ([]listedKind, error) {
	lists, err := s.discovery.ServerPreferredNamespacedResources()
	if err != nil && len(lists) == 0 {
		return nil, s.explain("list the cluster's APIs", err)
	}
	var out []listedKind
	for _, list := range lists {
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && !ignoredWhenEmpty[r.Kind] {
				out = append(out, listedKind{groupVersionKind(list.GroupVersion, "").GroupVersion().WithResource(r.Name), r.Kind})
			}
		}
	}
	return out, nil
}

func (s *Session) firstOf(ctx context.Context, namespace string, gvr schema.GroupVersionResource, kind string) (string, error) {
	found, err := s.Metadata.Resource(gvr).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 20})
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return "", nil
	}
	if err != nil {
		return "", s.explain("list "+gvr.Resource+" in "+namespace, err)
	}
	for _, item := range found.Items {
		if !madeByKubernetes(kind, item.Name) && item.DeletionTimestamp == nil && item.Labels[journalLabel] == "" {
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

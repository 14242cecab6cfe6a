package examine

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// clusterFact is one of the cluster, and what one must be allowed to list for it.
type clusterFact struct {
	fact doctor.Fact
	of   []resource
	read func(*look, context.Context) error
}

var ofCluster = []clusterFact{
	{doctor.Nodes, []resource{{name: "nodes"}}, func(l *look, ctx context.Context) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.CoreV1().Nodes().List, func(p *corev1.NodeList) int {
			l.found.Nodes = append(l.found.Nodes, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.NodeLeases, []resource{{"coordination.k8s.io", "leases", corev1.NamespaceNodeLease}}, func(l *look, ctx context.Context) error {
		return l.leases(ctx, corev1.NamespaceNodeLease)
	}},
	{doctor.StorageClasses, []resource{{group: "storage.k8s.io", name: "storageclasses"}}, func(l *look, ctx context.Context) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.StorageV1().StorageClasses().List, func(p *storagev1.StorageClassList) int {
			l.found.StorageClasses = append(l.found.StorageClasses, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.RuntimeClasses, []resource{{group: "node.k8s.io", name: "runtimeclasses"}}, func(l *look, ctx context.Context) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.NodeV1().RuntimeClasses().List, func(p *nodev1.RuntimeClassList) int {
			l.found.RuntimeClasses = append(l.found.RuntimeClasses, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Webhooks, []resource{{group: "admissionregistration.k8s.io", name: "validatingwebhookconfigurations"}, {group: "admissionregistration.k8s.io", name: "mutatingwebhookconfigurations"}}, (*look).webhooks},
	{doctor.Operators, []resource{
		{group: "rbac.authorization.k8s.io", name: "clusterroles"}, {group: "apps", name: "deployments"}, {group: "coordination.k8s.io", name: "leases"},
	}, (*look).operators},
	{doctor.Bindings, []resource{{group: "rbac.authorization.k8s.io", name: "clusterrolebindings"}}, func(l *look, ctx context.Context) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.RbacV1().ClusterRoleBindings().List, func(p *rbacv1.ClusterRoleBindingList) int {
			l.found.ClusterBindings = append(l.found.ClusterBindings, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.DNS, []resource{{name: "services", namespace: metav1.NamespaceSystem}, {"discovery.k8s.io", "endpointslices", metav1.NamespaceSystem}}, func(l *look, ctx context.Context) error {
		if err := l.services(ctx, metav1.NamespaceSystem, metav1.ListOptions{FieldSelector: "metadata.name=kube-dns"}); err != nil {
			return err
		}
		return l.endpoints(ctx, metav1.NamespaceSystem, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kube-dns"})
	}},
}

func (l *look) webhooks(ctx context.Context) error {
	api := l.Kube.AdmissionregistrationV1()
	err := take(ctx, l, metav1.ListOptions{}, api.ValidatingWebhookConfigurations().List, func(p *admissionv1.ValidatingWebhookConfigurationList) int {
		l.found.Validating = append(l.found.Validating, p.Items...)
		return len(p.Items)
	})
	if err != nil {
		return err
	}
	return take(ctx, l, metav1.ListOptions{}, api.MutatingWebhookConfigurations().List, func(p *admissionv1.MutatingWebhookConfigurationList) int {
		l.found.Mutating = append(l.found.Mutating, p.Items...)
		return len(p.Items)
	})
}

// namespaceFact is one of a namespace.
type namespaceFact struct {
	fact doctor.Fact
	read func(*look, context.Context, string) error
}

var ofNamespace = []namespaceFact{
	{doctor.Namespaces, (*look).namespace},
	{doctor.Pods, func(l *look, ctx context.Context, namespace string) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.CoreV1().Pods(namespace).List, func(p *corev1.PodList) int {
			l.found.Pods = append(l.found.Pods, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Events, func(l *look, ctx context.Context, namespace string) error {
		return take(ctx, l, metav1.ListOptions{FieldSelector: "type=Warning"}, l.Kube.CoreV1().Events(namespace).List, func(p *corev1.EventList) int {
			l.found.Events = append(l.found.Events, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Claims, func(l *look, ctx context.Context, namespace string) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.CoreV1().PersistentVolumeClaims(namespace).List, func(p *corev1.PersistentVolumeClaimList) int {
			l.found.Claims = append(l.found.Claims, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Workloads, (*look).workloads},
	{doctor.Services, func(l *look, ctx context.Context, namespace string) error {
		return l.services(ctx, namespace, metav1.ListOptions{})
	}},
	{doctor.Endpoints, func(l *look, ctx context.Context, namespace string) error {
		return l.endpoints(ctx, namespace, metav1.ListOptions{})
	}},
	{doctor.Policies, func(l *look, ctx context.Context, namespace string) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.NetworkingV1().NetworkPolicies(namespace).List, func(p *networkingv1.NetworkPolicyList) int {
			l.found.Policies = append(l.found.Policies, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Leases, (*look).leases},
	{doctor.Releases, (*look).releases},
	{doctor.Bindings, func(l *look, ctx context.Context, namespace string) error {
		return take(ctx, l, metav1.ListOptions{}, l.Kube.RbacV1().RoleBindings(namespace).List, func(p *rbacv1.RoleBindingList) int {
			l.found.Bindings = append(l.found.Bindings, p.Items...)
			return len(p.Items)
		})
	}},
	{doctor.Configs, func(l *look, ctx context.Context, namespace string) error {
		options := metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=nats"}
		return take(ctx, l, options, l.Kube.CoreV1().ConfigMaps(namespace).List, func(p *corev1.ConfigMapList) int {
			l.found.Configs = append(l.found.Configs, p.Items...)
			return len(p.Items)
		})
	}},
}

// take lists objects page by page, up to a limit. Add keeps a page, and says how many
// objects it has.
func take[List metav1.ListInterface](ctx context.Context, l *look, options metav1.ListOptions, list func(context.Context, metav1.ListOptions) (List, error), add func(List) int) error {
	n := 0
	return session.EachPage(ctx, options, list, func(page List) error {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if n += add(page); n >= most && page.GetContinue() != "" {
			return errTooMany
		}
		return nil
	})
}

// namespace looks whether a namespace is there, and going away. One that a fleet file
// wants may not be there yet.
func (l *look) namespace(ctx context.Context, name string) error {
	found, err := l.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if l.request.Fleet != nil {
			return nil
		}
		return fmt.Errorf("%w %q; `kubectl get namespaces` lists them", errNoNamespace, name)
	}
	if err == nil && found.DeletionTimestamp != nil {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.found.Terminating = append(l.found.Terminating, *found)
	}
	return err
}

func (l *look) workloads(ctx context.Context, namespace string) error {
	api := l.Kube.AppsV1()
	err := take(ctx, l, metav1.ListOptions{}, api.Deployments(namespace).List, func(p *appsv1.DeploymentList) int {
		l.found.Deployments = append(l.found.Deployments, p.Items...)
		return len(p.Items)
	})
	if err == nil {
		err = take(ctx, l, metav1.ListOptions{}, api.StatefulSets(namespace).List, func(p *appsv1.StatefulSetList) int {
			l.found.StatefulSets = append(l.found.StatefulSets, p.Items...)
			return len(p.Items)
		})
	}
	if err == nil {
		err = take(ctx, l, metav1.ListOptions{}, api.DaemonSets(namespace).List, func(p *appsv1.DaemonSetList) int {
			l.found.DaemonSets = append(l.found.DaemonSets, p.Items...)
			return len(p.Items)
		})
	}
	return err
}

func (l *look) services(ctx context.Context, namespace string, options metav1.ListOptions) error {
	return take(ctx, l, options, l.Kube.CoreV1().Services(namespace).List, func(p *corev1.ServiceList) int {
		l.found.Services = append(l.found.Services, p.Items...)
		return len(p.Items)
	})
}

func (l *look) endpoints(ctx context.Context, namespace string, options metav1.ListOptions) error {
	return take(ctx, l, options, l.Kube.DiscoveryV1().EndpointSlices(namespace).List, func(p *discoveryv1.EndpointSliceList) int {
		l.found.Endpoints = append(l.found.Endpoints, p.Items...)
		return len(p.Items)
	})
}

func (l *look) leases(ctx context.Context, namespace string) error {
	return take(ctx, l, metav1.ListOptions{}, l.Kube.CoordinationV1().Leases(namespace).List, func(p *coordinationv1.LeaseList) int {
		l.found.Leases = append(l.found.Leases, p.Items...)
		return len(p.Items)
	})
}

// releases reads the labels of Helm's records, not the records: they hold values.
func (l *look) releases(ctx context.Context, namespace string) error {
	newest := map[fleet.Key]doctor.Release{}
	err := l.EachMetadata(ctx, secrets, namespace, metav1.ListOptions{LabelSelector: "owner=helm"}, func(m *metav1.PartialObjectMetadata) {
		revision, err := strconv.Atoi(m.Labels["version"])
		key := fleet.Key{Namespace: m.Namespace, Name: m.Labels["name"]}
		if err != nil || key.Name == "" || revision <= newest[key].Revision {
			return
		}
		newest[key] = doctor.Release{Key: key, Revision: revision, Status: m.Labels["status"], Updated: updated(m)}
	})
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, r := range newest {
		l.found.Releases = append(l.found.Releases, r)
	}
	return err
}

// updated is when Helm says that it wrote a record last, or when it was created.
func updated(m *metav1.PartialObjectMetadata) time.Time {
	if seconds, err := strconv.ParseInt(m.Labels["modifiedAt"], 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	return m.CreationTimestamp.Time
}

// certificate reads the public half of one; the key is not kept.
func (l *look) certificate(ctx context.Context, key fleet.Key) error {
	secret, err := l.Kube.CoreV1().Secrets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.found.Certificates = append(l.found.Certificates, doctor.Certificate{Secret: key, PEM: secret.Data[corev1.TLSCertKey]})
	return nil
}

// Of a log, the last lines are read.
const (
	lastLines = 200
	lastBytes = 64 << 10
)

// log reads what an agent said last. One that has not started has said nothing.
func (l *look) log(ctx context.Context, pod doctor.Place) error {
	stream, err := l.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: "agent", TailLines: ptr.To[int64](lastLines), LimitBytes: ptr.To[int64](lastBytes),
	}).Stream(ctx)
	if apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the log of %s: %w", pod, err)
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, lastBytes))
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.found.Logs[pod] = string(text)
	return nil
}

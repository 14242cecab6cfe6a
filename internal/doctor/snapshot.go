package doctor

import (
	"slices"
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

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Fact is one kind of thing that is read.
type Fact string

// Facts of the cluster, and of each namespace.
const (
	Nodes          Fact = "nodes"
	NodeLeases     Fact = "leases of nodes"
	StorageClasses Fact = "storage classes"
	RuntimeClasses Fact = "runtime classes"
	Webhooks       Fact = "webhook configurations"
	Operators      Fact = "roles of operators"
	Schemas        Fact = "schemas of the custom resources"
	DNS            Fact = "the cluster's DNS"
	Platforms      Fact = "where platforms are"

	Namespaces   Fact = "the namespace"
	Pods         Fact = "pods"
	Events       Fact = "events"
	Claims       Fact = "volume claims"
	Workloads    Fact = "workloads"
	Services     Fact = "services"
	Endpoints    Fact = "endpoints"
	Policies     Fact = "network policies"
	Leases       Fact = "leases"
	Releases     Fact = "records of Helm"
	Bindings     Fact = "role bindings"
	Configs      Fact = "configurations of NATS"
	Certificates Fact = "certificates"
	Logs         Fact = "logs of agents"
)

// Snapshot is what is known of a cluster, read once.
type Snapshot struct {
	Cluster string
	// Now is when it was read.
	Now time.Time
	// Namespaces are those that were looked at.
	Namespaces []string
	// Records are further ones, of which only the records of releases were.
	Records []string
	// Fleet is what a fleet file wants; nil without one.
	Fleet *Fleet
	// Unread is what could not be read.
	Unread []Unread

	Nodes          []corev1.Node
	StorageClasses []storagev1.StorageClass
	RuntimeClasses []nodev1.RuntimeClass
	Validating     []admissionv1.ValidatingWebhookConfiguration
	Mutating       []admissionv1.MutatingWebhookConfiguration
	// Operators are those of the cluster, by their roles.
	Operators []check.Operator
	// Served are the schemas of our kinds that the cluster serves, and Known those
	// of operators of the version KnownVersion.
	Served       map[string]map[string]any
	Known        []check.KnownKind
	KnownVersion string

	Terminating  []corev1.Namespace
	Pods         []corev1.Pod
	Events       []corev1.Event
	Claims       []corev1.PersistentVolumeClaim
	Deployments  []appsv1.Deployment
	StatefulSets []appsv1.StatefulSet
	DaemonSets   []appsv1.DaemonSet
	Services     []corev1.Service
	Endpoints    []discoveryv1.EndpointSlice
	Policies     []networkingv1.NetworkPolicy
	// Leases are those of the namespaces and of nodes.
	Leases   []coordinationv1.Lease
	Releases []Release
	// Bindings are who has rights in the namespaces, and in the whole cluster.
	Bindings        []rbacv1.RoleBinding
	ClusterBindings []rbacv1.ClusterRoleBinding
	// Configs are those of NATS.
	Configs []corev1.ConfigMap
	// Certificates are the public halves of those that webhooks serve.
	Certificates []Certificate
	// Logs are the last lines of agents that are not ready, by pod.
	Logs map[Place]string
}

// Unread is a fact that could not be read.
type Unread struct {
	Fact Fact
	// Namespace is where; empty for the cluster.
	Namespace string
	Reason    string
}

// Fleet is what a fleet file wants of a cluster.
type Fleet struct {
	Releases []fleet.Release
}

// Release is the newest record that Helm has of a release.
type Release struct {
	fleet.Key
	Revision int
	Status   string
	Updated  time.Time
}

// Certificate is what is in a Secret that webhooks serve, without its key.
type Certificate struct {
	// Secret is where it is.
	Secret fleet.Key
	// PEM is the certificate; empty if the Secret holds none.
	PEM []byte
}

// knows reports whether a fact could be read in a namespace.
func (s *Snapshot) knows(fact Fact, namespace string) bool {
	return !slices.ContainsFunc(s.Unread, func(u Unread) bool {
		return u.Fact == fact && (u.Namespace == "" || u.Namespace == namespace)
	})
}

// looked reports whether a namespace was looked at.
func (s *Snapshot) looked(namespace string) bool { return slices.Contains(s.Namespaces, namespace) }

// Annotations and names by which the Secret of a webhook's certificate is found.
const (
	certificateVolume  = "webhook-certificate"
	certificateDefault = "webhook-server-cert"
)

// CertificateSecrets are the Secrets that webhooks of the namespaces serve their
// certificates from: what a configuration or an operator names, or else the default.
func (s *Snapshot) CertificateSecrets() (out []fleet.Key) {
	add := func(namespace, name string) {
		if key := (fleet.Key{Namespace: namespace, Name: name}); !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	for _, h := range s.hooks() {
		if h.secret != "" {
			add(h.service.Namespace, h.secret)
		}
	}
	for _, w := range s.workloads() {
		if !w.isOperator() {
			continue
		}
		name := certificateDefault
		for _, v := range w.template.Spec.Volumes {
			if v.Name == certificateVolume && v.Secret != nil {
				name = v.Secret.SecretName
			}
		}
		if len(webhookPorts(w)) > 0 {
			add(w.Namespace, name)
		}
	}
	return out
}

// mostLogs is how many agents are asked for their logs.
const mostLogs = 5

// UnreadyAgents are the pods of agents whose logs tell why they are not ready.
func (s *Snapshot) UnreadyAgents() (out []Place) {
	for _, w := range s.workloads() {
		if !w.isAgent() {
			continue
		}
		for i := range s.Pods {
			pod := &s.Pods[i]
			if w.selects(pod) && !over(pod) && !ready(pod) && pod.Status.Phase == corev1.PodRunning && len(out) < mostLogs {
				out = append(out, at("Pod", pod))
			}
		}
	}
	return out
}

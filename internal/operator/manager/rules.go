package manager

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Permissions are the rights that the operator's code needs, and all of them.
// There is no wildcard, and no right on Secrets but the one of the webhooks.
type Permissions struct {
	// Served holds where graphs live: a ClusterRole for a cluster-wide
	// operator, a Role in the restricted namespace otherwise.
	Served []rbacv1.PolicyRule
	// Election is a Role in the namespace of the leader election.
	Election []rbacv1.PolicyRule
	// Metrics is a ClusterRole, needed only for secure metrics.
	Metrics []rbacv1.PolicyRule
	// Certificate is a Role in the namespace of the webhooks' Secret, needed
	// only where the operator looks after the certificate itself. So is Trust,
	// a ClusterRole, because webhook configurations belong to the cluster.
	Certificate []rbacv1.PolicyRule
	Trust       []rbacv1.PolicyRule
	// Queues is a ClusterRole, needed only where the operator creates the
	// queues of the KAI scheduler, which belong to the cluster.
	Queues []rbacv1.PolicyRule
}

// PermissionsFor returns what an operator with this configuration needs.
func PermissionsFor(cfg *config.OperatorConfiguration) Permissions {
	p := Permissions{Served: servedRules()}
	if cfg.ClusterWide() {
		p.Served = append(p.Served, markerReaderRule())
		p.Served = append(p.Served, plannerRules(cfg.RBAC.PlannerClusterRoleName)...)
	} else {
		p.Served = append(p.Served, markerHolderRules()...)
	}
	if cfg.Ingress.VirtualServiceGateway != "" {
		p.Served = append(p.Served, rule(istio.GroupVersion.Group, "virtualservices", full...))
	}
	if cfg.CreatesQueues() {
		p.Queues = queueRules()
	}
	if cfg.LeaderElection.Enabled {
		p.Election = electionRules(cfg.LeaderElection.ID)
	}
	if cfg.Server.Metrics.Secure && cfg.Server.Metrics.BindAddress != config.Off {
		p.Metrics = metricsRules()
	}
	if webhook := cfg.Server.Webhook; webhook.SelfManaged() {
		p.Certificate = certificateRules(webhook.Certificates)
		p.Trust = trustRules(webhook.Certificates)
	}
	return p
}

var (
	read  = []string{"get", "list", "watch"}
	write = append(slices.Clone(read), "create", "patch") // server-side apply creates by patch
	full  = append(slices.Clone(write), "delete")
)

func servedRules() []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		// patch: to take off the finalizer of an operator that came before.
		rule(v1alpha1.GroupName, "dynamographdeployments", "get", "list", "watch", "patch"),
		rule(v1alpha1.GroupName, "dynamocomponentdeployments", full...),
		rule(v1alpha1.GroupName, "dynamographdeployments/status", "patch"),
		rule(v1alpha1.GroupName, "dynamocomponentdeployments/status", "patch"),
		// To own objects where OwnerReferencesPermissionEnforcement is on.
		rule(v1alpha1.GroupName, "dynamographdeployments/finalizers", "update"),
		rule(v1alpha1.GroupName, "dynamocomponentdeployments/finalizers", "update"),
		rule("apps", "deployments", write...),
		rule("", "services", write...),
		rule("networking.k8s.io", "ingresses", full...),
		rule("", "serviceaccounts", full...),
		rule(rbacv1.GroupName, "roles", full...),
		rule(rbacv1.GroupName, "rolebindings", full...),
		// Claims are created and then left alone.
		rule("", "persistentvolumeclaims", "get", "list", "watch", "create"),
		rule("", "pods", read...),
		rule("", "events", "list"),
		rule("events.k8s.io", "events", "create", "patch"),
	}
	// Nobody may grant what he has not got.
	return append(rules, render.DiscoveryRules()...)
}

func markerReaderRule() rbacv1.PolicyRule {
	return named(rule("coordination.k8s.io", "leases", read...), scope.MarkerName)
}

func markerHolderRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("coordination.k8s.io", "leases", "create"), // cannot be limited to a name
		named(rule("coordination.k8s.io", "leases", "get", "update", "delete"), scope.MarkerName),
	}
}

// plannerRules let the operator bind one role without holding its rights.
func plannerRules(clusterRole string) []rbacv1.PolicyRule {
	if clusterRole == "" {
		return nil
	}
	return []rbacv1.PolicyRule{named(rule(rbacv1.GroupName, "clusterroles", "bind"), clusterRole)}
}

func electionRules(id string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("coordination.k8s.io", "leases", "create"),
		named(rule("coordination.k8s.io", "leases", "get", "update"), id),
		rule("", "events", "create", "patch"), // who became the leader
	}
}

// queueRules: create cannot be limited to a name. Nothing else can be done to
// a queue, not even to one of ours.
func queueRules() []rbacv1.PolicyRule {
	group := queues.GroupVersion.Group
	return []rbacv1.PolicyRule{
		rule(group, "queues", "create"),
		{APIGroups: []string{group}, Resources: []string{"queues"}, Verbs: []string{"get"}, ResourceNames: queues.Names()},
	}
}

func metricsRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("authentication.k8s.io", "tokenreviews", "create"),
		rule("authorization.k8s.io", "subjectaccessreviews", "create"),
	}
}

// certificateRules name their object in all verbs: as the Secret is created by
// an apply, even create can be limited to the name.
func certificateRules(c config.Certificates) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{named(rule("", "secrets", "list", "watch", "create", "patch", "update"), c.SecretName)}
}

func trustRules(c config.Certificates) []rbacv1.PolicyRule {
	const group = "admissionregistration.k8s.io"
	return []rbacv1.PolicyRule{
		named(rule(group, "validatingwebhookconfigurations", "list", "watch", "patch"), c.ValidatingConfiguration),
		named(rule(group, "mutatingwebhookconfigurations", "list", "watch", "patch"), c.MutatingConfiguration),
	}
}

func rule(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

func named(r rbacv1.PolicyRule, name string) rbacv1.PolicyRule {
	r.ResourceNames = []string{name}
	return r
}

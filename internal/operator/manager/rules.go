package manager

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Permissions are the rights that the operator's code needs, and all of them.
// There is no wildcard, and no right on Secrets but on that of the webhooks and on
// that by which pods of a group meet.
type Permissions struct {
	// Served holds where graphs live: a ClusterRole for a cluster-wide
	// operator, a Role in the restricted namespace otherwise.
	Served []rbacv1.PolicyRule
	// Election is a Role in the namespace of the leader election.
	Election []rbacv1.PolicyRule
	// Metrics is a ClusterRole, needed only for secure metrics.
	Metrics []rbacv1.PolicyRule
	// Certificate is a Role in the namespace of the webhooks' Secret, needed
	// only where the operator reads it. Trust is a ClusterRole, because webhook
	// configurations belong to the cluster, needed only where the operator looks
	// after the certificate itself; a restricted one does not.
	Certificate []rbacv1.PolicyRule
	Trust       []rbacv1.PolicyRule
	// Queues is a ClusterRole, needed only where the operator creates the
	// queues of the KAI scheduler, which belong to the cluster.
	Queues []rbacv1.PolicyRule
}

// PermissionsFor returns what an operator with this configuration needs.
func PermissionsFor(cfg *config.OperatorConfiguration) Permissions {
	p := Permissions{Served: servedRules(cfg)}
	if cfg.ClusterWide() {
		p.Served = append(p.Served, markerReaderRule())
	} else {
		p.Served = append(p.Served, markerHolderRules()...)
	}
	if cfg.Server.Webhook.AuthorizeAuthors {
		// Of one namespace at a time, so that a Role is enough for one.
		p.Served = append(p.Served, lifecycle.Rule("authorization.k8s.io", "localsubjectaccessreviews", "create"))
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
	} else if webhook.ReadsSecret() {
		p.Certificate = []rbacv1.PolicyRule{lifecycle.Named(lifecycle.Rule("", "secrets", "list", "watch"), webhook.Certificates.SecretName)}
	}
	return p
}

func servedRules(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{lifecycle.Rule("events.k8s.io", "events", "create", "patch")}
	for _, kind := range kinds.All() {
		rules = append(rules, kind.Rules(cfg)...)
	}
	return rules
}

func markerReaderRule() rbacv1.PolicyRule {
	return lifecycle.Named(lifecycle.Rule("coordination.k8s.io", "leases", lifecycle.Read...), scope.MarkerName)
}

func markerHolderRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		lifecycle.Rule("coordination.k8s.io", "leases", "create"), // cannot be limited to a name
		lifecycle.Named(lifecycle.Rule("coordination.k8s.io", "leases", "get", "update", "delete"), scope.MarkerName),
	}
}

func electionRules(id string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		lifecycle.Rule("coordination.k8s.io", "leases", "create"),
		lifecycle.Named(lifecycle.Rule("coordination.k8s.io", "leases", "get", "update"), id),
		lifecycle.Rule("", "events", "create", "patch"), // who became the leader
	}
}

// queueRules: create cannot be limited to a name. Nothing else can be done to
// a queue, not even to one of ours.
func queueRules() []rbacv1.PolicyRule {
	group := queues.GroupVersion.Group
	return []rbacv1.PolicyRule{
		lifecycle.Rule(group, "queues", "create"),
		{APIGroups: []string{group}, Resources: []string{"queues"}, Verbs: []string{"get"}, ResourceNames: queues.Names()},
	}
}

func metricsRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		lifecycle.Rule("authentication.k8s.io", "tokenreviews", "create"),
		lifecycle.Rule("authorization.k8s.io", "subjectaccessreviews", "create"),
	}
}

// certificateRules name their object in all verbs: as the Secret is created by
// an apply, even create can be limited to the name.
func certificateRules(c config.Certificates) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{lifecycle.Named(lifecycle.Rule("", "secrets", "list", "watch", "create", "patch", "update"), c.SecretName)}
}

func trustRules(c config.Certificates) []rbacv1.PolicyRule {
	const group = "admissionregistration.k8s.io"
	return []rbacv1.PolicyRule{
		lifecycle.Named(lifecycle.Rule(group, "validatingwebhookconfigurations", "list", "watch", "patch"), c.ValidatingConfiguration),
		lifecycle.Named(lifecycle.Rule(group, "mutatingwebhookconfigurations", "list", "watch", "patch"), c.MutatingConfiguration),
	}
}

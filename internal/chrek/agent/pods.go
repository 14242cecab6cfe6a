package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/watch"
)

const dynamoCheckpoints = "dynamocheckpoints"

// Permissions are the rights in its namespace that an agent needs which serves none.
func Permissions() []rbacv1.PolicyRule { return nil }

// TargetPermissions are those that its code needs in the namespace that it serves, and
// all of them.
func TargetPermissions() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"patch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}},
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{dynamoCheckpoints}, Verbs: []string{"list"}},
	}
}

// OwnPermissions are those that it needs in its own namespace then.
func OwnPermissions() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "create", "update", "delete"}},
	}
}

// ownNamespace is where the kubelet tells a pod which namespace it is in.
const ownNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// newWatcher is whoever acts on the node for the namespace that is served: the agent, or
// a program beside it, which is another to Leases.
func newWatcher(cfg *config.AgentConfiguration, log *slog.Logger, beside string) (*watch.Watcher, error) {
	node := os.Getenv("NODE_NAME")
	if node == "" {
		return nil, errors.New("agent.targetNamespace needs the node's name in the variable NODE_NAME")
	}
	own, err := os.ReadFile(ownNamespace)
	if err != nil {
		return nil, fmt.Errorf("agent.targetNamespace needs the pod's ServiceAccount: %w", err)
	}
	connection, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("agent.targetNamespace: %w", err)
	}
	client, err := kubernetes.NewForConfig(connection)
	if err != nil {
		return nil, fmt.Errorf("agent.targetNamespace: %w", err)
	}
	objects, err := dynamic.NewForConfig(connection)
	if err != nil {
		return nil, fmt.Errorf("agent.targetNamespace: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return &watch.Watcher{
		Client: client, Checkpoints: objects.Resource(v1alpha1.GroupVersion.WithResource(dynamoCheckpoints)).Namespace(cfg.Agent.TargetNamespace),
		Grace: cfg.Storage.GracePeriod.Duration, Namespace: cfg.Agent.TargetNamespace, Own: strings.TrimSpace(string(own)), Node: node, Identity: node + "/" + host + beside, Log: log,
		Engine: &engine.Engine{Config: cfg.Checkpoint, Node: node, Store: artifact.NewStore(cfg.Checkpoint.BasePath, cfg.Agent.TargetNamespace, node)},
	}, nil
}

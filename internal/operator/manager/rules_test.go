package manager

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

func TestPermissionsAreTheLeast(t *testing.T) {
	for name, change := range map[string]func(*config.OperatorConfiguration){
		"cluster-wide": func(*config.OperatorConfiguration) {},
		"restricted":   func(cfg *config.OperatorConfiguration) { cfg.Namespace.Restricted = "team-a" },
		"planner":      func(cfg *config.OperatorConfiguration) { cfg.RBAC.PlannerClusterRoleName = "planner" },
		"istio":        func(cfg *config.OperatorConfiguration) { cfg.Ingress.VirtualServiceGateway = "edge/public" },
		"a gateway":    func(cfg *config.OperatorConfiguration) { cfg.Ingress.HTTPRouteGateway = "edge/public" },
		"queues": func(cfg *config.OperatorConfiguration) {
			cfg.Orchestrators.KAIScheduler = config.KAIScheduler{Enabled: true, CreateQueues: true}
		},
		"queues made by others": func(cfg *config.OperatorConfiguration) { cfg.Orchestrators.KAIScheduler.Enabled = true },
		"metrics":               func(cfg *config.OperatorConfiguration) { cfg.Server.Metrics.BindAddress = ":8443" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			change(cfg)
			p := PermissionsFor(cfg)
			for _, rule := range slices.Concat(p.Served, p.Election, p.Metrics, p.Queues) {
				if slices.Equal(rule.ResourceNames, []string{render.SSHKeySecret}) && !slices.Contains(rule.Verbs, "list") && !slices.Contains(rule.Verbs, "watch") {
					continue
				}
				for _, value := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs) {
					if value == rbacv1.ResourceAll || value == "escalate" || value == "impersonate" || value == "secrets" {
						t.Errorf("%s in %v", value, rule)
					}
				}
				if slices.Contains(rule.Verbs, "bind") && len(rule.ResourceNames) == 0 {
					t.Errorf("any role may be bound: %v", rule)
				}
			}
			if (len(p.Metrics) > 0) != (name == "metrics") {
				t.Errorf("metrics rules %v", p.Metrics)
			}
			if (len(p.Queues) > 0) != (name == "queues") {
				t.Errorf("queue rules %v", p.Queues)
			}
		})
	}
}

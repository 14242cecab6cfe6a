package check

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var natsIsInstalledWhereAnnounced = announced("C-15", "nats", "natsAddr", "NATS_SERVER")

var etcdIsInstalledWhereAnnounced = announced("C-16", "etcd", "etcdAddr", "ETCD_ENDPOINTS")

// announced builds the rule that workloads are only told about a bundled
// service that is installed, or about an address that was given.
func announced(id, service, address, variable string) Rule {
	fleetWith := func(values string) Example {
		return Example{Fleet: "values: [{platform: " + values + "}]\nplatforms: [{namespace: team-a}]"}
	}
	in := func(e Example, c Cluster) Example {
		e.Cluster = &c
		return e
	}
	elsewhere := fleetWith(fmt.Sprintf("{dynamo-operator: {%s: 'shared.messaging.svc:4222'}}", address))
	return Rule{
		ID:       id,
		Severity: Error,
		Says:     fmt.Sprintf("Workloads are told about %s only where it is installed or an address is given, and a Service that the address names exists.", service),
		Why:      fmt.Sprintf("Every worker would get a %s that nobody answers at, and would hang or fail at start.", variable),
		When:     isPlatform,
		Find: func(in Input) (problems []fleet.Problem) {
			for _, rel := range in.Set.Platforms() {
				told := rel.Values.At("dynamo-operator", service, "enabled")
				if !isTrue(told) || text(rel, "dynamo-operator", address) != "" || installs(rel, service) {
					continue
				}
				problems = append(problems, fleet.Problem{
					Origin: told.Origin,
					Message: fmt.Sprintf("platform %s tells its workloads about %s (dynamo-operator.%s.enabled), but does not install it (%s.enabled) and names no address",
						rel.Key, service, service, service),
					Fix: fmt.Sprintf("set %s.enabled, or dynamo-operator.%s, or turn dynamo-operator.%s.enabled off", service, address, service),
				})
			}
			return problems
		},
		Needs: []Fact{FactServices},
		Names: namedBy(address),
		Live:  func(in Input) []fleet.Problem { return missingServices(in, service, address) },
		Fails: []Example{
			fleetWith(fmt.Sprintf("{%[1]s: {enabled: false}, dynamo-operator: {%[1]s: {enabled: true}}}", service)),
			in(elsewhere, Cluster{Services: []fleet.Key{{Namespace: "elsewhere", Name: "shared"}}}),
		},
		Passes: []Example{
			fleetWith(fmt.Sprintf("{%s: {enabled: true}, dynamo-operator: {%s: {enabled: true}}}", service, service)),
			fleetWith(fmt.Sprintf("{dynamo-operator: {%[1]s: {enabled: true}, %[2]s: '%[1]s.example.com:4222'}}", service, address)),
			in(elsewhere, Cluster{Services: []fleet.Key{{Namespace: "messaging", Name: "shared"}}}),
		},
	}
}

var etcdDiscoveryHasEtcd = Rule{
	ID:       "C-17",
	Severity: Error,
	Says:     "Discovery by etcd has an etcd: one that the platform installs, or an address.",
	Why:      "Workers register at the store before they serve, so none of them would ever become ready. Whether an etcd that an address names is there is for C-16.",
	Fix:      "set etcd.enabled or dynamo-operator.etcdAddr, or leave discoveryBackend at kubernetes",
	When:     func(rel fleet.Release) bool { return text(rel, "dynamo-operator", "discoveryBackend") == "etcd" },
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			path := []string{"dynamo-operator", "discoveryBackend"}
			if text(rel, path...) == "etcd" && !installs(rel, "etcd") && text(rel, "dynamo-operator", "etcdAddr") == "" {
				problems = append(problems, problem(originOf(rel, path...), "platform %s discovers by etcd, but neither installs one nor names an address", rel.Key))
			}
		}
		return problems
	},
	Fails: []Example{{Fleet: "values: [{platform: {dynamo-operator: {discoveryBackend: etcd}}}]\nplatforms: [{namespace: team-a}]"}},
	Passes: []Example{
		{Fleet: "values: [{platform: {etcd: {enabled: true}, dynamo-operator: {discoveryBackend: etcd}}}]\nplatforms: [{namespace: team-a}]"},
		{Fleet: "values: [{platform: {dynamo-operator: {discoveryBackend: etcd, etcdAddr: 'etcd.example.com:2379'}}}]\nplatforms: [{namespace: team-a}]"},
	},
}

// natsChart is the smallest chart that passes for NATS.
func natsChart(serviceName string) map[string]string {
	return map[string]string{
		"platform/charts/nats/Chart.yaml":             "apiVersion: v2\nname: nats\nversion: 1.3.2\n",
		"platform/charts/nats/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: " + serviceName + "}\nspec:\n  ports: [{name: client, port: 4222}]\n",
	}
}

var addressesAreRendered = Rule{
	ID:       "C-14",
	Severity: Error,
	Says:     "The address of a bundled service that workloads are told is that of a Service which the same release renders.",
	Why: "The operator chart makes the address of a bundled NATS or etcd from its chart's rules for names. A chart of another version, or an override that it " +
		"does not know, would leave every worker with an address that nobody has.",
	Fix:  "state the address in dynamo-operator.natsAddr or dynamo-operator.etcdAddr, or undo the override of the service's name",
	When: isPlatform,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			for _, service := range []string{"nats", "etcd"} {
				if !installs(rel, service) || text(rel, "dynamo-operator", service+"Addr") != "" {
					continue
				}
				for _, told := range servicesIn(toldAddress(in, rel, service)) {
					if !rendersService(in, rel, told.Name) {
						problems = append(problems, problem(originOf(rel, service), "platform %s tells its workloads that %s is at the Service %s, which it does not render", rel.Key, service, told.Key))
					}
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {nats: {enabled: true}, dynamo-operator: {nats: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]",
		Files: natsChart("messaging"),
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {nats: {enabled: true}, dynamo-operator: {nats: {enabled: true}}}}]\nplatforms: [{namespace: team-a}]",
		Files: natsChart("'{{ .Release.Name }}-nats'"),
	}, {
		Fleet: "values: [{platform: {nats: {enabled: true}, dynamo-operator: {natsAddr: 'nats://messaging.team-a.svc:4222'}}}]\nplatforms: [{namespace: team-a}]",
		Files: natsChart("messaging"),
	}},
}

// toldAddress is what the operator's rendered configuration says.
func toldAddress(in Input, rel fleet.Release, service string) string {
	for _, m := range objectsOfType[*corev1.ConfigMap](in, rel, "ConfigMap") {
		var config struct {
			Kind           string         `json:"kind"`
			Infrastructure map[string]any `json:"infrastructure"`
		}
		if yaml.Unmarshal([]byte(m.Data["config.yaml"]), &config) != nil || config.Kind != "OperatorConfiguration" {
			continue
		}
		address, _ := config.Infrastructure[service+"Address"].(string)
		return address
	}
	return ""
}

func rendersService(in Input, rel fleet.Release, name string) bool {
	for _, o := range objectsOf(in, rel) {
		if o.Kind == "Service" && o.Name == name {
			return true
		}
	}
	return false
}

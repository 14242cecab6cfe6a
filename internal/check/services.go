package check

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var natsIsInstalledWhereAnnounced = announced("C-15", "nats", "natsAddr", "NATS_SERVER")

var etcdIsInstalledWhereAnnounced = announced("C-16", "etcd", "etcdAddr", "ETCD_ENDPOINTS")

// announced builds the rule that workloads are only told about a bundled
// service that is installed, or about an address that was given.
func announced(id, service, address, variable string) Rule {
	fleetWith := func(values string) []Example {
		return []Example{{Fleet: "values: [{platform: " + values + "}]\nplatforms: [{namespace: team-a}]"}}
	}
	return Rule{
		ID:       id,
		Severity: Error,
		Says:     fmt.Sprintf("Workloads are told about %s only where it is installed or an address is given.", service),
		Why:      fmt.Sprintf("Every worker would get a %s that nobody answers at, and would hang or fail at start.", variable),
		Find: func(in Input) (problems []fleet.Problem) {
			for _, rel := range in.Set.Platforms() {
				told := rel.Values.At("dynamo-operator", service, "enabled")
				if !isTrue(told) || text(rel, "dynamo-operator", address) != "" || isTrue(rel.Values.At(service, "enabled")) {
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
		Fails: fleetWith(fmt.Sprintf("{dynamo-operator: {%s: {enabled: true}}}", service)),
		Passes: append(fleetWith(fmt.Sprintf("{%s: {enabled: true}, dynamo-operator: {%s: {enabled: true}}}", service, service)),
			fleetWith(fmt.Sprintf("{dynamo-operator: {%s: {enabled: true}, %s: '%s.example.com:4222'}}", service, address, service))...),
	}
}

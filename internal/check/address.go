package check

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// inCluster is a Service that an address names: NAME.NAMESPACE.svc[.DOMAIN].
type inCluster struct {
	fleet.Key
	// Domain is empty for an address that leaves it to the resolver.
	Domain string
}

// servicesIn lists the Services of the cluster that an address, or a list of
// them with commas, points at.
func servicesIn(addresses string) (out []inCluster) {
	for address := range strings.SplitSeq(addresses, ",") {
		if !strings.Contains(address, "://") {
			address = "any://" + address
		}
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(u.Hostname(), "."), ".")
		if len(parts) < 3 || parts[2] != "svc" {
			continue
		}
		out = append(out, inCluster{Key: fleet.Key{Namespace: parts[1], Name: parts[0]}, Domain: strings.Join(parts[3:], ".")})
	}
	return out
}

// addressKeys are the values of a platform that may name Services.
var addressKeys = [][]string{
	{"dynamo-operator", "natsAddr"},
	{"dynamo-operator", "etcdAddr"},
	{"dynamo-operator", "modelExpressURL"},
	{"dynamo-operator", "dynamo", "metrics", "prometheusEndpoint"},
}

var domainPath = []string{"dynamo-operator", "kubernetesClusterDomain"}

var domainIsTheClusters = Rule{
	ID:       "C-18",
	Severity: Error,
	Says:     "Addresses end in the cluster's own DNS domain, or name none.",
	Why: "A cluster whose domain is not cluster.local resolves no name that ends in it. The addresses that the charts make themselves end in .svc and " +
		"leave the domain to the resolver; this is about those that are given. The cluster's domain is read from CoreDNS' configuration.",
	Fix:   "end the address in .svc, or correct kubernetesClusterDomain",
	When:  namesDomain,
	Needs: []Fact{FactDomain},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if domain := text(rel, domainPath...); domain != "" {
				problems = append(problems, strangers(rel, domain, "kubernetesClusterDomain")...)
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if told := text(rel, domainPath...); told != "" && told != in.Cluster.Domain {
				problems = append(problems, problem(originOf(rel, domainPath...), "kubernetesClusterDomain is %s, but the cluster's domain is %s", told, in.Cluster.Domain))
			}
			problems = append(problems, strangers(rel, in.Cluster.Domain, "the cluster's domain")...)
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {kubernetesClusterDomain: corp.internal, natsAddr: 'nats://nats.messaging.svc.cluster.local:4222'}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {etcdAddr: 'etcd.stores.svc.cluster.local:2379'}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Domain: "corp.internal"},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {natsAddr: 'nats://nats.messaging.svc:4222'}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {natsAddr: 'nats://nats.messaging.svc.corp.internal:4222'}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Domain: "corp.internal"},
	}},
}

// namesDomain picks platforms that say anything about the domain.
func namesDomain(rel fleet.Release) bool {
	return isPlatform(rel) && (text(rel, domainPath...) != "" || len(strangers(rel, "", "")) > 0)
}

// strangers are addresses that end in another domain.
func strangers(rel fleet.Release, domain, whose string) (problems []fleet.Problem) {
	for _, path := range addressKeys {
		for _, service := range servicesIn(text(rel, path...)) {
			if service.Domain != "" && service.Domain != domain {
				problems = append(problems, problem(originOf(rel, path...), "%s names %s.svc.%s, but %s is %s",
					dotted(rel.Chart, path), service.Name+"."+service.Namespace, service.Domain, whose, domain))
			}
		}
	}
	return problems
}

// missingServices are Services that a given address names and nobody has:
// neither the cluster nor a platform that is going to install it.
func missingServices(in Input, service, address string) (problems []fleet.Problem) {
	for _, rel := range in.Set.Platforms() {
		path := []string{"dynamo-operator", address}
		for _, named := range servicesIn(text(rel, path...)) {
			if has(in.Cluster.Services, named.Namespace, named.Name) || installsThere(in.Set, service, named.Namespace) {
				continue
			}
			problems = append(problems, fleet.Problem{
				Origin:  originOf(rel, path...),
				Message: fmt.Sprintf("%s names the Service %s, which the cluster does not have", dotted(rel.Chart, path), named.Key),
				Fix:     "correct the address, or install " + service + " there first",
			})
		}
	}
	return problems
}

func installsThere(set *fleet.Set, service, namespace string) bool {
	for _, rel := range set.Platforms() {
		if rel.Namespace == namespace && installs(rel, service) {
			return true
		}
	}
	return false
}

// namedBy lists the names of the Services that an address names.
func namedBy(address string) func(fleet.Release) []string {
	return func(rel fleet.Release) (names []string) {
		for _, service := range servicesIn(text(rel, "dynamo-operator", address)) {
			names = append(names, service.Name)
		}
		return names
	}
}

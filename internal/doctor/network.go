package doctor

import (
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Ports of API servers, as Services and as the servers themselves have them.
var apiServerPorts = []int32{443, 6443}

const webhookPort = "webhook-server"

var operatorCutOff = Check{
	ID:   "operator-cut-off",
	Says: "network policies cut it off from the API server",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			talks := w.isOperator() || w.isAgent() && w.template.Spec.HostPID
			if !talks {
				continue
			}
			if by := s.egressPolicies(w); len(by) > 0 && !slices.ContainsFunc(by, reachesAPIServer) {
				out = append(out, s.cutOff(w, by, fmt.Sprintf("network policies keep %s from calling the API server", w.what())))
			}
			if by := s.ingressPolicies(w); len(by) > 0 && !slices.ContainsFunc(by, func(p *networkingv1.NetworkPolicy) bool { return letsIn(p, webhookPorts(w)) }) && len(webhookPorts(w)) > 0 {
				out = append(out, s.cutOff(w, by, fmt.Sprintf("network policies keep the API server from calling the webhooks of %s", w.what())))
			}
		}
		return out
	},
}

func (s *Snapshot) cutOff(w workload, by []*networkingv1.NetworkPolicy, says string) Finding {
	var names []string
	for _, p := range by {
		names = append(names, p.Name)
	}
	return Finding{
		At: at("NetworkPolicy", by[0]), Says: says, Seen: fmt.Sprintf("%s is selected by %s, and no rule of theirs lets an address outside the cluster's pods", w.Place, few(names)),
		Next: at("NetworkPolicy", by[0]).describe(), breaks: slices.Concat([]Place{w.Place}, s.podsOf(w), s.behind(w)),
	}
}

func (s *Snapshot) egressPolicies(w workload) []*networkingv1.NetworkPolicy {
	return s.policies(w, func(p *networkingv1.NetworkPolicy) bool {
		return slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) || len(p.Spec.PolicyTypes) == 0 && len(p.Spec.Egress) > 0
	})
}

func (s *Snapshot) ingressPolicies(w workload) []*networkingv1.NetworkPolicy {
	return s.policies(w, func(p *networkingv1.NetworkPolicy) bool {
		return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	})
}

// policies are those that select the pods of a workload.
func (s *Snapshot) policies(w workload, about func(*networkingv1.NetworkPolicy) bool) (out []*networkingv1.NetworkPolicy) {
	for i := range s.Policies {
		p := &s.Policies[i]
		if p.Namespace == w.Namespace && about(p) && matches(&p.Spec.PodSelector, w.template.Labels) {
			out = append(out, p)
		}
	}
	return out
}

// reachesAPIServer: an API server is no pod that a selector could name, so a rule lets
// it through for everybody, or by its address.
func reachesAPIServer(p *networkingv1.NetworkPolicy) bool {
	return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return outside(r.To) && anyPort(r.Ports, apiServerPorts, "")
	})
}

func letsIn(p *networkingv1.NetworkPolicy, ports []int32) bool {
	return slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
		return outside(r.From) && anyPort(r.Ports, ports, webhookPort)
	})
}

func outside(peers []networkingv1.NetworkPolicyPeer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil })
}

// anyPort reports whether a rule is about one of some ports. The name of a port of
// somebody else may mean any.
func anyPort(rules []networkingv1.NetworkPolicyPort, ports []int32, name string) bool {
	return len(rules) == 0 || slices.ContainsFunc(rules, func(r networkingv1.NetworkPolicyPort) bool {
		switch {
		case ptr.Deref(r.Protocol, corev1.ProtocolTCP) != corev1.ProtocolTCP:
			return false
		case r.Port == nil:
			return true
		case r.Port.Type == intstr.String:
			return name == "" || r.Port.StrVal == name
		}
		last := ptr.Deref(r.EndPort, r.Port.IntVal)
		return slices.ContainsFunc(ports, func(port int32) bool { return r.Port.IntVal <= port && port <= last })
	})
}

// webhookPorts are where the operator's webhooks listen; nil if it has none.
func webhookPorts(w workload) (out []int32) {
	for _, c := range w.template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == webhookPort {
				out = append(out, p.ContainerPort)
			}
		}
	}
	return out
}

// unresolved is how programs say that names are not answered, rather than unknown.
var unresolved = regexp.MustCompile(`Temporary failure in name resolution|server misbehaving|lookup [^ ]+( on [^ ]+)?: .*(i/o timeout|connection refused)`)

// Where clusters have their DNS.
const (
	dnsNamespace = "kube-system"
	dnsService   = "kube-dns"
)

var dnsBroken = Check{
	ID:   "dns-broken",
	Says: "the cluster's DNS does not answer, so no pod finds a Service by its name",
	Find: func(s *Snapshot) []Finding {
		place := Place{Kind: "Service", Namespace: dnsNamespace, Name: dnsService}
		var broken []Place
		said := ""
		for i := range s.Pods {
			pod := &s.Pods[i]
			if text := lastWords(pod); !over(pod) && !ready(pod) && unresolved.MatchString(text) {
				broken = append(broken, at("Pod", pod))
				said = unresolved.FindString(text)
			}
		}
		f := Finding{At: place, Next: kubectl(dnsNamespace, "get", "pods,endpointslices", "-l", "k8s-app="+dnsService), breaks: broken}
		exists := slices.ContainsFunc(s.Services, func(service corev1.Service) bool { return at("Service", &service) == place })
		switch {
		case exists && s.knows(DNS, "") && s.answering(place) == 0:
			f.Seen = "no pod behind it is ready"
			for i := range s.Pods {
				// What has not started yet has asked for no name.
				if s.Pods[i].Status.Phase == corev1.PodRunning && !ready(&s.Pods[i]) {
					f.breaks = append(f.breaks, at("Pod", &s.Pods[i]))
				}
			}
		case len(broken) > 0:
			f.Seen = fmt.Sprintf("%s says %q", broken[0], said)
			if exists && s.knows(DNS, "") {
				// Who may write into the namespace may have a pod say anything.
				f.Says = "pods say that names are not answered, while the cluster's DNS has pods that are ready: look at a network policy, or at the pod itself"
			}
		default:
			return nil
		}
		return []Finding{f}
	},
}

// lastWords is what the containers of a pod said when they ended.
func lastWords(pod *corev1.Pod) (text string) {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		for _, end := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if end != nil {
				text += end.Message + "\n"
			}
		}
	}
	return text
}

// answering counts the endpoints of a Service that are ready.
func (s *Snapshot) answering(service Place) (n int) {
	for _, slice := range s.Endpoints {
		if slice.Namespace != service.Namespace || slice.Labels["kubernetes.io/service-name"] != service.Name {
			continue
		}
		for _, e := range slice.Endpoints {
			if ptr.Deref(e.Conditions.Ready, true) && len(e.Addresses) > 0 {
				n++
			}
		}
	}
	return n
}

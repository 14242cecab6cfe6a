package doctor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var runtimeClassMissing = Check{
	ID:    "runtime-class-missing",
	Says:  "pods ask for a runtime class that the cluster does not have",
	Needs: []Fact{RuntimeClasses},
	Find: func(s *Snapshot) (out []Finding) {
		var names []string
		for _, class := range s.RuntimeClasses {
			names = append(names, class.Name)
		}
		asked := map[string][]Place{}
		for _, w := range s.workloads() {
			if name := w.template.Spec.RuntimeClassName; name != nil && !slices.Contains(names, *name) {
				asked[*name] = append(asked[*name], w.Place)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(asked)) {
			out = append(out, Finding{
				At:   Place{Kind: "RuntimeClass", Name: name},
				Seen: fmt.Sprintf("asked for by %s; the cluster has: %s", placed(asked[name]), orNone(names)),
				Next: kubectl("", "get", "runtimeclass"), breaks: asked[name],
			})
		}
		return out
	},
}

var noMatchingNode = Check{
	ID:    "no-matching-node",
	Says:  "no node has the labels that the pods ask for",
	Needs: []Fact{Nodes},
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			selector := w.template.Spec.NodeSelector
			idle := w.Kind != "DaemonSet" && w.wanted == 0
			if len(selector) == 0 || idle || slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return carries(n.Labels, selector) }) {
				continue
			}
			out = append(out, Finding{
				At: w.Place, Says: fmt.Sprintf("no node has the labels that %s asks for", w.what()),
				Seen: fmt.Sprintf("%s; missing: %s", count(len(s.Nodes), "node"), list(s.lacking(selector))),
				Next: kubectl("", "get", "nodes", "--show-labels"), breaks: s.podsOf(w),
			})
		}
		return out
	},
}

func carries(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// lacking are the labels that no node has; all, if each is on some node and no node
// has all of them.
func (s *Snapshot) lacking(selector map[string]string) []string {
	var all, lacked []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		text := key + "=" + selector[key]
		all = append(all, text)
		if !slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return n.Labels[key] == selector[key] }) {
			lacked = append(lacked, text)
		}
	}
	if len(lacked) == 0 {
		return []string{strings.Join(all, " and ") + " on one node"}
	}
	return lacked
}

func (s *Snapshot) podsOf(w workload) (out []Place) {
	for i := range s.Pods {
		if w.selects(&s.Pods[i]) {
			out = append(out, at("Pod", &s.Pods[i]))
		}
	}
	return out
}

// quotaName is the quota in the sentence with which a pod is refused.
var quotaName = regexp.MustCompile(`exceeded quota: ([a-z0-9.-]+)`)

var quotaExceeded = Check{
	ID:   "quota-exceeded",
	Says: "the quota of the namespace leaves no room for the pods",
	Find: func(s *Snapshot) (out []Finding) {
		index := map[Place]int{}
		for _, w := range s.workloads() {
			match := quotaName.FindStringSubmatch(w.refused)
			if match == nil {
				continue
			}
			quota := Place{Kind: "ResourceQuota", Namespace: w.Namespace, Name: match[1]}
			i, before := index[quota]
			if !before {
				i = len(out)
				index[quota] = i
				_, sentence, _ := strings.Cut(w.refused, "exceeded quota: ")
				out = append(out, Finding{At: quota, Seen: sentence, Next: quota.describe()})
			}
			out[i].breaks = append(out[i].breaks, w.Place)
		}
		return out
	},
}

// forbidding are sentences with which admission refuses pods, besides quotas.
var forbidding = regexp.MustCompile(`violates PodSecurity|serviceaccount "?[^ "]+"? not found|admission webhook "[^"]+" denied|no PriorityClass with name`)

var podsForbidden = Check{
	ID:   "pods-forbidden",
	Says: "the cluster's admission refuses the pods",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			if !forbidding.MatchString(w.refused) {
				continue
			}
			out = append(out, Finding{
				At: w.Place, Says: "the cluster's admission refuses the pods of " + w.what(), Seen: w.refused,
				Next: w.describe(), breaks: []Place{w.Place},
			})
		}
		return out
	},
}

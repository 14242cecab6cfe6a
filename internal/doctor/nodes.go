package doctor

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
)

var nodeNotReady = Check{
	ID:    "node-not-ready",
	Says:  "a node does not run pods as it should",
	Needs: []Fact{Nodes},
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Nodes {
			node := &s.Nodes[i]
			trouble, hosted := troubleOf(node), s.podsOn(node.Name)
			if trouble == "" || len(hosted) == 0 {
				continue
			}
			out = append(out, Finding{
				At: at("Node", node), Seen: fmt.Sprintf("%s; %s of these namespaces on it", trouble, count(len(hosted), "pod")),
				Next: kubectl("", "describe", "node", node.Name), breaks: hosted,
			})
		}
		return out
	},
}

// troubleOf is why a node does not run pods as it should; empty if it does.
func troubleOf(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		wrong := c.Status == corev1.ConditionTrue
		if c.Type == corev1.NodeReady {
			wrong = c.Status != corev1.ConditionTrue
		}
		if wrong {
			return fmt.Sprintf("its condition %s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
	return ""
}

// podsOn are the pods on a node.
func (s *Snapshot) podsOn(node string) (out []Place) {
	for i := range s.Pods {
		if s.Pods[i].Spec.NodeName == node {
			out = append(out, at("Pod", &s.Pods[i]))
		}
	}
	return out
}

// tolerated is how far clocks may be apart: certificates and tokens begin that early.
const tolerated = 30 * time.Second

var clockSkew = Check{
	ID:   "clock-skew",
	Says: "the clock of who holds this Lease is not that of the API server; certificates and tokens are refused there",
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Leases {
			lease := &s.Leases[i]
			skew, known := skewOf(lease)
			if !known || skew.Abs() < tolerated {
				continue
			}
			says := "ahead of"
			if skew < 0 {
				says = "behind"
			}
			f := Finding{
				At: at("Lease", lease), Seen: fmt.Sprintf("it is %s %s the API server's", skew.Abs().Round(time.Second), says),
				Next: kubectl(lease.Namespace, "get", "lease", lease.Name, "-o", "yaml", "--show-managed-fields"),
			}
			if lease.Namespace == corev1.NamespaceNodeLease {
				f.breaks = append(s.podsOn(lease.Name), Place{Kind: "Node", Name: lease.Name})
			}
			out = append(out, f)
		}
		return out
	},
}

// skewOf compares the time that the holder of a Lease wrote with the time at which
// the API server noted the write. Our own clock says nothing about either.
func skewOf(lease *coordinationv1.Lease) (skew time.Duration, known bool) {
	if lease.Spec.RenewTime == nil {
		return 0, false
	}
	var noted time.Time
	for _, entry := range lease.ManagedFields {
		if entry.Time != nil && entry.Time.After(noted) {
			noted = entry.Time.Time
		}
	}
	return lease.Spec.RenewTime.Sub(noted), !noted.IsZero()
}

// lingering is how long the end of a namespace may take.
const lingering = 2 * time.Minute

var namespaceTerminating = Check{
	ID:   "namespace-terminating",
	Says: "the namespace is being deleted and does not end, so nothing can be installed in it",
	Find: func(s *Snapshot) (out []Finding) {
		for i := range s.Terminating {
			n := &s.Terminating[i]
			if n.DeletionTimestamp == nil || s.Now.Sub(n.DeletionTimestamp.Time) < lingering {
				continue
			}
			f := Finding{At: Place{Kind: "Namespace", Name: n.Name}, Next: kubectl("", "get", "namespace", n.Name, "-o", "yaml")}
			f.Seen = "deleted since " + n.DeletionTimestamp.UTC().Format(time.DateTime)
			for _, c := range n.Status.Conditions {
				if c.Status == corev1.ConditionTrue {
					f.Seen += "; " + c.Message
				}
			}
			for _, r := range s.Releases {
				if r.Namespace == n.Name {
					f.breaks = append(f.breaks, releasePlace(r))
				}
			}
			out = append(out, f)
		}
		return out
	},
}

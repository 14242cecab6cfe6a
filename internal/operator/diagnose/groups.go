package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Groups is how the groups of a LeaderWorkerSet do. It follows from their pods:
// the set's own status does not say of which of its specs it speaks.
type Groups struct {
	// Wanted, Present, Updated (all pods of the present spec) and Ready (all
	// pods, of whatever spec) are numbers of groups.
	Wanted, Present, Updated, Ready int32
	// done are those that are updated and ready, and wanted.
	done int32
	// Newest are the pods of the present spec; all, if there are none.
	Newest []corev1.Pod
	// incomplete names the first group that lacks pods.
	incomplete string
}

// GroupsOf counts the groups among the pods of a set.
func GroupsOf(set *lwsv1.LeaderWorkerSet, pods []corev1.Pod) Groups {
	size := int(*set.Spec.LeaderWorkerTemplate.Size)
	hash := set.Spec.LeaderWorkerTemplate.LeaderTemplate.Labels[render.TemplateLabel]
	members := map[string][]corev1.Pod{}
	groups := Groups{Wanted: *set.Spec.Replicas}
	for _, pod := range pods {
		if index, ok := pod.Labels[lwsv1.GroupIndexLabelKey]; ok {
			members[index] = append(members[index], pod)
		}
		if pod.Labels[render.TemplateLabel] == hash {
			groups.Newest = append(groups.Newest, pod)
		}
	}
	if len(groups.Newest) == 0 {
		groups.Newest = pods
	}
	for _, index := range slices.SortedFunc(maps.Keys(members), byNumber) {
		group := members[index]
		whole := len(group) == size
		updated := whole && all(group, func(p *corev1.Pod) bool { return p.Labels[render.TemplateLabel] == hash })
		ready := whole && all(group, isReady)
		groups.Present++
		groups.Updated += one(updated)
		groups.Ready += one(ready)
		number, err := strconv.Atoi(index)
		groups.done += one(updated && ready && err == nil && number < int(groups.Wanted))
		if !whole && groups.incomplete == "" {
			groups.incomplete = fmt.Sprintf("group %s has %d of %d pods", index, len(group), size)
		}
	}
	return groups
}

// Done reports whether all groups run as the present spec wants, and no other.
func (g Groups) Done() bool { return g.done == g.Wanted && g.Present == g.Wanted }

// String says how far the groups are.
func (g Groups) String() string {
	count := fmt.Sprintf("%d/%d groups ready", min(g.Ready, g.Wanted), g.Wanted)
	if old := g.Present - g.Updated; old > 0 && g.Ready > g.done {
		return fmt.Sprintf("updating, %s, %d of the previous revision", count, old)
	}
	return count
}

// Missing says which pods there are not, "" if there are all.
func (g Groups) Missing() string {
	switch {
	case g.Wanted > 0 && g.Present == 0:
		return "its LeaderWorkerSet has no pods: see whether the controller of LeaderWorkerSet runs, and kubectl describe lws"
	case g.incomplete != "":
		return g.incomplete
	case g.Present > g.Wanted:
		return "a group of before is still there"
	}
	return ""
}

func all(pods []corev1.Pod, is func(*corev1.Pod) bool) bool {
	for i := range pods {
		if !is(&pods[i]) {
			return false
		}
	}
	return true
}

func one(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

func byNumber(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

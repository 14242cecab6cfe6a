package diagnose

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

func TestGroupsOf(t *testing.T) {
	marked := func(hash string) map[string]string { return map[string]string{render.TemplateLabel: hash} }
	for name, tc := range map[string]struct {
		// pods as GROUP/HASH/READY.
		pods []string
		want Groups
		done bool
		says string
	}{
		"all":                  {[]string{"0/b/y", "0/b/y", "1/b/y", "1/b/y"}, Groups{Present: 2, Updated: 2, Ready: 2}, true, "2/2 groups ready"},
		"no pods":              {nil, Groups{}, false, "0/2 groups ready: its LeaderWorkerSet has no pods"},
		"one pod is not ready": {[]string{"0/b/y", "0/b/n", "1/b/y", "1/b/y"}, Groups{Present: 2, Updated: 2, Ready: 1}, false, "1/2 groups ready"},
		"one pod is missing":   {[]string{"0/b/y", "1/b/y", "1/b/y"}, Groups{Present: 2, Updated: 1, Ready: 1}, false, "1/2 groups ready: group 0 has 1 of 2 pods"},
		"half updated":         {[]string{"0/a/y", "0/a/y", "1/b/y", "1/b/y"}, Groups{Present: 2, Updated: 1, Ready: 2}, false, "updating, 2/2 groups ready, 1 of the previous revision"},
		"a mixed group":        {[]string{"0/a/y", "0/b/y", "1/b/y", "1/b/y"}, Groups{Present: 2, Updated: 1, Ready: 2}, false, "updating, 2/2 groups ready, 1 of the previous revision"},
		"one too many":         {[]string{"0/b/y", "0/b/y", "1/b/y", "1/b/y", "2/b/y", "2/b/y"}, Groups{Present: 3, Updated: 3, Ready: 3}, false, "a group of before is still there"},
	} {
		t.Run(name, func(t *testing.T) {
			set := &lwsv1.LeaderWorkerSet{Spec: lwsv1.LeaderWorkerSetSpec{Replicas: ptr.To[int32](2), LeaderWorkerTemplate: lwsv1.LeaderWorkerTemplate{
				Size: ptr.To[int32](2), LeaderTemplate: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: marked("b")}},
			}}}
			var pods []corev1.Pod
			for _, text := range tc.pods {
				parts := strings.Split(text, "/")
				pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: marked(parts[1])}}
				pod.Labels[lwsv1.GroupIndexLabelKey] = parts[0]
				if parts[2] == "y" {
					pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
				}
				pods = append(pods, pod)
			}
			got := GroupsOf(set, pods)
			if got.Present != tc.want.Present || got.Updated != tc.want.Updated || got.Ready != tc.want.Ready || got.Done() != tc.done {
				t.Errorf("got %+v, done %v", got, got.Done())
			}
			if text := got.String() + ": " + got.Missing(); !strings.Contains(text, tc.says) {
				t.Errorf("says %q, want %q", text, tc.says)
			}
		})
	}
}

package checkpoint

import (
	"cmp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

var now = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// taken is a checkpoint that became ready so many hours ago.
func taken(name, model string, hours int, annotations map[string]string) v1alpha1.DynamoCheckpoint {
	at := metav1.NewTime(now.Add(-time.Duration(hours) * time.Hour))
	c := v1alpha1.DynamoCheckpoint{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: at, Annotations: annotations}}
	c.Spec.Identity = v1alpha1.DynamoCheckpointIdentity{Model: model, BackendFramework: "vllm"}
	c.Status = v1alpha1.DynamoCheckpointStatus{Phase: v1alpha1.CheckpointPhaseReady, CreatedAt: &at}
	return c
}

func TestAServiceGetsTheCheckpointThatItMeans(t *testing.T) {
	failed := taken("a", "m", 9, nil)
	failed.Status.Phase = v1alpha1.CheckpointPhaseFailed
	leaving := taken("b", "m", 8, nil)
	leaving.DeletionTimestamp = &metav1.Time{Time: now}
	auto := taken("auto", "a", 5, nil)
	auto.Labels = map[string]string{v1alpha1.LabelComponent: "Worker"}
	auto.Spec.Job.PodTemplateSpec = worker("runtime:1")
	all := []v1alpha1.DynamoCheckpoint{failed, leaving, taken("young", "m", 1, nil), taken("old", "m", 2, nil), taken("other", "n", 3, nil), auto}
	identity := func(model string) *v1alpha1.DynamoCheckpointIdentity {
		return &v1alpha1.DynamoCheckpointIdentity{Model: model, BackendFramework: "vllm", TensorParallelSize: 1}
	}
	for name, tc := range map[string]struct {
		wanted *v1alpha1.ServiceCheckpointConfig
		want   string
		image  string
	}{
		"nothing":            {nil, "", ""},
		"off":                {&v1alpha1.ServiceCheckpointConfig{Identity: identity("m")}, "", ""},
		"an identity":        {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("m")}, "old", ""},
		"another":            {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("n")}, "other", ""},
		"nobody's":           {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("o")}, "", ""},
		"a name":             {&v1alpha1.ServiceCheckpointConfig{Enabled: true, CheckpointRef: "a"}, "a", ""},
		"a name, identity":   {&v1alpha1.ServiceCheckpointConfig{Enabled: true, CheckpointRef: "young", Identity: identity("n")}, "young", ""},
		"taken of it":        {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("a")}, "auto", ""},
		"of another image":   {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("a")}, "", "runtime:2"},
		"named all the same": {&v1alpha1.ServiceCheckpointConfig{Enabled: true, CheckpointRef: "auto"}, "auto", "runtime:2"},
		"made by hand":       {&v1alpha1.ServiceCheckpointConfig{Enabled: true, Identity: identity("m")}, "old", "runtime:2"},
		"a name of nothing":  {&v1alpha1.ServiceCheckpointConfig{Enabled: true, CheckpointRef: "c"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			pod := worker(cmp.Or(tc.image, "runtime:1"))
			if c := Choose(all, tc.wanted, Process(&pod)); c != nil {
				got = c.Name
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSurplusCheckpointsGo(t *testing.T) {
	ttl := func(text string) map[string]string { return map[string]string{AnnotationTTL: text} }
	pinned := map[string]string{AnnotationPin: "true", AnnotationTTL: "1h"}
	for name, tc := range map[string]struct {
		annotations map[string]string
		used        bool
		most        int
		want        string
		again       time.Duration
	}{
		"kept":           {nil, false, 0, "", 0},
		"old enough":     {ttl("2h"), false, 0, "2h0m0s after it was taken", 0},
		"not yet":        {ttl("5h"), false, 0, "", 2 * time.Hour},
		"no duration":    {ttl("soon"), false, 0, "", 0},
		"pinned":         {pinned, false, 1, "", 0},
		"in use":         {ttl("2h"), true, 1, "", 0},
		"one too many":   {nil, false, 2, "2 younger ones are there, and the operator keeps 2", 0},
		"room for three": {nil, false, 3, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := taken("c", "m", 3, tc.annotations)
			all := []v1alpha1.DynamoCheckpoint{c, taken("a", "m", 1, nil), taken("b", "m", 2, nil)}
			why, again := Surplus(&c, all, func(*v1alpha1.DynamoCheckpoint) bool { return tc.used }, tc.most, now)
			if (tc.want == "") != (why == "") || !strings.Contains(why, tc.want) || again != tc.again {
				t.Errorf("got %q, again in %s, want %q, %s", why, again, tc.want, tc.again)
			}
		})
	}
}

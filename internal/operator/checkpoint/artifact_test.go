package checkpoint

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// worker is a pod that runs an image.
func worker(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "main", Image: image, Command: []string{"serve"}, Args: []string{"--model", "m"},
		Env: []corev1.EnvVar{{Name: "DYN_NAMESPACE", Value: "team-chat"}, {Name: "LEVEL", Value: "info"}},
	}}}}
}

// A restored process has what it was started with, so whatever of that changes makes
// another process, and nothing that only says whose it is.
func TestWhatMakesAnotherProcess(t *testing.T) {
	base := worker("runtime:1")
	for name, tc := range map[string]struct {
		change func(*corev1.Container)
		other  bool
	}{
		"the image":       {func(c *corev1.Container) { c.Image = "runtime:2" }, true},
		"the command":     {func(c *corev1.Container) { c.Command = []string{"x"} }, true},
		"an argument":     {func(c *corev1.Container) { c.Args[1] = "n" }, true},
		"a variable":      {func(c *corev1.Container) { c.Env[1].Value = "debug" }, true},
		"another graph":   {func(c *corev1.Container) { c.Env[0].Value = "team-other" }, false},
		"its readiness":   {func(c *corev1.Container) { c.ReadinessProbe = &corev1.Probe{} }, false},
		"nothing":         {func(*corev1.Container) {}, false},
		"a reference too": {func(c *corev1.Container) { c.Env[1] = corev1.EnvVar{Name: "LEVEL", ValueFrom: &corev1.EnvVarSource{}} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			changed := worker("runtime:1")
			tc.change(&changed.Spec.Containers[0])
			if other := Process(&changed) != Process(&base); other != tc.other {
				t.Errorf("another process: %t", other)
			}
		})
	}
}

func TestTheFirstCheckpointHasTheHashAndFurtherOnesTheirProcess(t *testing.T) {
	first := taken("x", "m", 3, nil)
	hash := Hash(first.Spec.Identity)
	if got := AutoName(nil, hash, "abcd"); got != hash {
		t.Errorf("got %s", got)
	}
	first.Name = hash
	if got := AutoName([]v1alpha1.DynamoCheckpoint{first}, hash, "abcd"); got != hash+"-abcd" {
		t.Errorf("got %s", got)
	}
	// What an author has made is stored under the hash, whatever it is called.
	if got := AutoName([]v1alpha1.DynamoCheckpoint{taken("mine", "m", 3, nil)}, hash, "abcd"); got != hash+"-abcd" {
		t.Errorf("got %s", got)
	}
	for name, want := range map[string]string{hash: hash, "mine": hash, hash + "-abcd": hash + "-abcd", hash + "-a.b": hash, "0000000000000000-abcd": hash} {
		if c := taken(name, "m", 1, nil); Artifact(&c) != want {
			t.Errorf("%s is stored as %s, want %s", name, Artifact(&c), want)
		}
	}
}

func TestNobodyStoresOverAnothers(t *testing.T) {
	old, young := taken("old", "m", 3, nil), taken("young", "m", 1, nil)
	old.UID, young.UID = "1", "2"
	old.Status.Phase, young.Status.Phase = v1alpha1.CheckpointPhaseCreating, v1alpha1.CheckpointPhasePending
	all := []v1alpha1.DynamoCheckpoint{young, old, taken("other", "n", 9, nil)}
	if got := SameArtifact(&young, all); got == nil || got.Name != "old" {
		t.Errorf("the young one is not told of the old one: %v", got)
	}
	if got := SameArtifact(&old, all); got != nil {
		t.Errorf("the old one waits for %s", got.Name)
	}
	young.Status.Phase = v1alpha1.CheckpointPhaseReady
	if got := SameArtifact(&old, []v1alpha1.DynamoCheckpoint{old, young}); got == nil {
		t.Error("what is stored would be replaced")
	}
}

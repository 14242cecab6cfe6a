//go:build e2e

package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// end asks a worker to end. It does not answer.
func end(t *testing.T, ip string) {
	t.Helper()
	if answer, err := call(t, ip, workerPort, "/end"); err == nil {
		_ = answer.Body.Close()
	}
}

// TestWhatCannotBeRestoredStartsAnew: with the reason in the pod's status.
func TestWhatCannotBeRestoredStartsAnew(t *testing.T) {
	stored := taken(t, source("good", "good"))
	copyArtifact(t, "good", "flipped")
	flip(t, filepath.Join(store, team, "flipped"))
	narrow := target("narrow", worker, "good")
	narrow.Spec.Containers[0].VolumeMounts = narrow.Spec.Containers[0].VolumeMounts[:1]
	narrow.Spec.Containers[0].VolumeMounts = append(narrow.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/data"})
	for name, tc := range map[string]struct {
		pod          *corev1.Pod
		reason, says string
	}{
		"missing":  {target("missing", worker, "nowhere"), protocol.ReasonMissing, "nowhere"},
		"damaged":  {target("damaged", worker, "flipped"), protocol.ReasonDamaged, "pages-1.img is not what was stored"},
		"image":    {target("image", other, "good"), protocol.ReasonIncompatible, "image: "},
		"outwards": {target("outwards", worker, "../good"), protocol.ReasonMissing, "no name"},
		"narrow":   {narrow, protocol.ReasonIncompatible, "mounts: the checkpoint needs /signal"},
	} {
		t.Run(name, func(t *testing.T) {
			apply(t, tc.pod)
			c := condition(t, name, protocol.ConditionRestored)
			if c.Status != corev1.ConditionFalse || c.Reason != tc.reason || !strings.Contains(c.Message, tc.says) {
				t.Errorf("Restored: %+v, want %s with %q", c, tc.reason, tc.says)
			}
			if now := ready(t, name); now.Boot == stored.Boot || now.Restored {
				t.Errorf("it did not start anew: %+v", now)
			}
			if restarts := get(t, name).Status.ContainerStatuses[0].RestartCount; restarts != 0 {
				t.Errorf("%d restarts to find that out", restarts)
			}
		})
	}
}

// TestARestoreThatFailsStartsAnewInCleanFiles: the artifact is what was stored, and CRIU
// cannot read it.
func TestARestoreThatFailsStartsAnewInCleanFiles(t *testing.T) {
	stored := taken(t, source("sound", "sound"))
	copyArtifact(t, "sound", "unreadable")
	spoil(t, "unreadable")
	apply(t, target("fails", worker, "unreadable"))
	c := condition(t, "fails", protocol.ConditionRestored)
	if c.Status != corev1.ConditionFalse || c.Reason != protocol.ReasonFailed || !strings.Contains(c.Message, "started again") {
		t.Errorf("Restored: %+v", c)
	}
	anew(t, "fails", stored)
	if status := get(t, "fails").Status.ContainerStatuses[0]; status.RestartCount != 1 {
		t.Errorf("%d restarts, want one", status.RestartCount)
	}
}

// anew sees that a worker was started anew, with the files of its image and nothing else.
func anew(t *testing.T, name string, stored state) {
	t.Helper()
	now := ready(t, name)
	if now.Boot == stored.Boot || now.Restored || now.Changed == stored.Changed || now.Volume == stored.Volume || now.Shared == stored.Shared {
		t.Errorf("%s did not start anew: %+v", name, now)
	}
	if !slices.Equal(now.Found, []string{now.Boot, now.Boot}) {
		t.Errorf("%s has files of %q in its volumes, want those of %s alone", name, now.Found, now.Boot)
	}
}

func copyArtifact(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(store, team, to), os.DirFS(filepath.Join(store, team, from))); err != nil {
		t.Fatal(err)
	}
	rewrite(t, to, func(text string) string { return strings.Replace(text, `"id":"`+from+`"`, `"id":"`+to+`"`, 1) })
}

// flip changes one bit in the middle of the stored memory.
func flip(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "pages-1.img")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	one := make([]byte, 1)
	if _, err := file.ReadAt(one, 100_000); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 1
	if _, err := file.WriteAt(one, 100_000); err != nil {
		t.Fatal(err)
	}
}

// TestAPodGetsNoRightsFromACheckpoint: what was stored had the capabilities that pods
// have by default.
func TestAPodGetsNoRightsFromACheckpoint(t *testing.T) {
	wide := source("wide", "wide")
	wide.Spec.Containers[0].SecurityContext = nil
	apply(t, wide)
	stored := ready(t, "wide")
	if c := condition(t, "wide", protocol.ConditionCheckpointed); c.Status != corev1.ConditionTrue {
		t.Fatalf("Checkpointed: %+v", c)
	}
	apply(t, target("least", worker, "wide"))
	c := condition(t, "least", protocol.ConditionRestored)
	if c.Reason != protocol.ReasonIncompatible || !strings.HasPrefix(c.Message, "capabilities: ") {
		t.Errorf("Restored: %+v", c)
	}
	if now := ready(t, "least"); now.Boot == stored.Boot {
		t.Errorf("it did not start anew: %+v", now)
	}
}

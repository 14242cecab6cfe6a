//go:build node

package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/image"
)

const workloadImage = "nvcr.io/example/web:1.0"

func TestNode(t *testing.T) {
	before := takeSnapshot(t)
	c := newCluster(t, "node")
	c.drydock("up", "--gpus", "2")
	dir := c.dir()
	c.drydock("load", workloadArchive(t), "--as", workloadImage)
	startWorkload(t, c)

	t.Run("logs and exec", func(t *testing.T) { testLogsAndExec(t, c) })
	t.Run("names and Services", func(t *testing.T) { testServices(t, c) })
	t.Run("GPUs", func(t *testing.T) { testGPUs(t, c) })
	t.Run("a pod's volume is a folder of the cluster", func(t *testing.T) { testVolume(t, c, dir) })
	t.Run("the host's mounts and settings are untouched", func(t *testing.T) { testHostUntouched(t, before) })
	t.Run("two nodes side by side", func(t *testing.T) { testSecondNode(t, c) })
	t.Run("killed, it comes back with its pods", func(t *testing.T) { testRecovery(t, c) })
	t.Run("a deleted claim's folder is removed", func(t *testing.T) { testVolumeRemoval(t, c, dir) })
	t.Run("down leaves nothing", func(t *testing.T) {
		startWorkload(t, c) // with pods that run
		c.drydock("down")
		compareSnapshots(t, before, takeSnapshot(t))
		if left := processesOf(t, dir); len(left) > 0 {
			t.Errorf("processes %v", left)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is still there", dir)
		}
	})
}

func workloadArchive(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "workload")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./workload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := image.WriteArchive(&archive, "workload:1", "/workload", content); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program+".tar", archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return program + ".tar"
}

func startWorkload(t *testing.T, c cluster) {
	t.Helper()
	c.mustKubectl("apply", "-f", "testdata/workload.yaml")
	c.mustKubectl("rollout", "status", "deployment/web", "--timeout=60s")
}

func testLogsAndExec(t *testing.T, c cluster) {
	if logs := c.mustKubectl("logs", "deployment/web"); !strings.Contains(logs, "serving") {
		t.Errorf("the log is %q", logs)
	}
	if answer := c.mustKubectl("exec", "deployment/web", "--", "/workload", "api"); !strings.Contains(answer, "gitVersion") {
		t.Errorf("the API server answers a pod with %q", answer)
	}
	if logs := c.drydock("logs", "kubelet"); !strings.Contains(logs, "Started kubelet") {
		t.Error("drydock logs kubelet prints no such log")
	}
}

func testServices(t *testing.T, c cluster) {
	inPod := func(args ...string) (string, error) {
		return c.kubectl(append([]string{"exec", "deployment/web", "--", "/workload"}, args...)...)
	}
	address := c.mustKubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
	for _, name := range []string{"web", "web.default", "web.default.svc.cluster.local"} {
		if got, err := inPod("lookup", name); err != nil || got != "["+address+"]" {
			t.Errorf("a pod finds %s at %q, %v; want %s", name, got, err, address)
		}
	}
	if got, err := inPod("lookup", "www.example.com"); err == nil || !strings.Contains(got, "no such host") {
		t.Errorf("a name of the outside is answered with %q, %v", got, err)
	}
	// Through its own Service a pod reaches itself.
	if got, err := inPod("get", "http://web"); err != nil || !strings.HasPrefix(got, "hello from web-") {
		t.Errorf("a pod gets %q, %v from its own Service", got, err)
	}
	if got := httpGet(t, "http://"+address); !strings.HasPrefix(got, "hello from web-") {
		t.Errorf("the host gets %q from the Service", got)
	}
}

func httpGet(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func testGPUs(t *testing.T, c cluster) {
	if logs := c.mustKubectl("logs", "deployment/web"); !strings.Contains(logs, "serving with GPU-") {
		t.Errorf("the pod knows no GPU of its own: %q", logs)
	}
	labels := c.mustKubectl("get", "nodes", "--selector=nvidia.com/gpu.present=true,nvidia.com/gpu.count=2", "--output=name")
	if labels == "" {
		t.Error("the node is not labelled as a GPU node")
	}
	eventually(t, 20*time.Second, func() error {
		events := c.mustKubectl("get", "events", "--field-selector=involvedObject.name=greedy", "--output=jsonpath={.items[*].message}")
		if !strings.Contains(events, "Insufficient nvidia.com/gpu") {
			return fmt.Errorf("a pod that wants more GPUs than there are has the events %q", events)
		}
		return nil
	})
}

func testVolume(t *testing.T, c cluster, dir string) {
	c.mustKubectl("exec", "deployment/web", "--", "/workload", "write", "/shared/file")
	volume := c.mustKubectl("get", "pvc", "shared", "--output=jsonpath={.spec.volumeName}")
	content, err := os.ReadFile(filepath.Join(dir, "volumes", volume, "file"))
	if err != nil || string(content) != "written by the pod\n" {
		t.Errorf("on the host the file has %q, %v", content, err)
	}
}

func testVolumeRemoval(t *testing.T, c cluster, dir string) {
	c.mustKubectl("delete", "-f", "testdata/workload.yaml", "--timeout=60s")
	eventually(t, 20*time.Second, func() error {
		left, err := os.ReadDir(filepath.Join(dir, "volumes"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("the volumes' folder still has %v", left)
		}
		return err
	})
}

func testHostUntouched(t *testing.T, before snapshot) {
	now := takeSnapshot(t)
	for _, part := range unchanging {
		if added, removed := difference(before[part], now[part]); len(added)+len(removed) > 0 {
			t.Errorf("%s: added %v, removed %v", part, added, removed)
		}
	}
}

func testSecondNode(t *testing.T, first cluster) {
	second := newCluster(t, "second")
	second.drydock("up")
	if a, b := first.status().Server, second.status().Server; a == b {
		t.Errorf("both are at %s", a)
	}
	second.mustKubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=20s")
	second.drydock("down")
	startWorkload(t, first)
}

func testRecovery(t *testing.T, c cluster) {
	for _, pid := range cgroupMembers(t, c.name) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	eventually(t, 10*time.Second, func() error { return wantState(c, "broken") })
	c.drydock("up", "--gpus", "2")
	c.mustKubectl("rollout", "status", "deployment/web", "--timeout=60s")
	eventually(t, 20*time.Second, func() error {
		answer, err := c.kubectl("exec", "deployment/web", "--", "/workload", "get", "http://web")
		if err != nil {
			return fmt.Errorf("%w: %s", err, answer)
		}
		return nil
	})
}

func cgroupMembers(t *testing.T, name string) []int {
	t.Helper()
	files, err := filepath.Glob("/sys/fs/cgroup/*/drydock-" + name + "*/components/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	unified, err := filepath.Glob("/sys/fs/cgroup/drydock-" + name + "*/components/cgroup.procs")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range append(files, unified...) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range strings.Fields(string(content)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	if len(pids) == 0 {
		t.Fatal("the node has no processes in its cgroups")
	}
	return pids
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const checkpointsFleet = "demo/checkpoints.yaml"

// process is what a worker of the stand-in tells of itself.
type process struct {
	Boot     string `json:"boot_id"`
	Run      string `json:"run_id"`
	Restored bool   `json:"restored"`
	Counter  int64  `json:"counter"`
	At       int64  `json:"counter_at_checkpoint"`
	Deleted  string `json:"deleted_file_sha256"`
	Heap     struct {
		Bytes  int64  `json:"bytes"`
		Digest string `json:"sha256"`
		Built  string `json:"built_at"`
	} `json:"heap"`
}

// checkpoints: a service that asks for a checkpoint gets one taken, and its pods are
// then the process that was stored, each under a name of its own.
func checkpoints(t *testing.T) {
	const namespace = "team-a"
	run(t, "wheelhouse", "deps", "lock", "-f", checkpointsFleet, "--update")
	run(t, "wheelhouse", "apply", "-f", checkpointsFleet, "--yes")
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "demo/graphs/checkpoints.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/stored")
	run(t, "kubectl", "wait", "-n", namespace, "--for=jsonpath={.status.phase}=Ready", "--timeout=120s", "dynamocheckpoint", "--all")

	imagesRun(t, checkpointsFleet)
	restoredReplicas(t, namespace, 1)
	first := processes(t, namespace)[0]
	if !first.Restored || first.Heap.Bytes != 64<<20 || first.Counter <= first.At || first.At == 0 || first.Deleted == "" || strings.HasPrefix(first.Deleted, "lost") {
		t.Errorf("the restored process says of itself: %+v", first)
	}
	run(t, "kubectl", "patch", "-n", namespace, "dynamographdeployment/stored", "--type=merge", "-p", `{"spec":{"services":{"Worker":{"replicas":3}}}}`)
	restoredReplicas(t, namespace, 3)
	runs := map[string]bool{}
	for _, p := range processes(t, namespace) {
		runs[p.Run] = true
		if p.Boot != first.Boot || p.Heap != first.Heap || p.Deleted != first.Deleted || !p.Restored {
			t.Errorf("a replica is another process: %+v, the first was %+v", p, first)
		}
	}
	if len(runs) != 3 {
		t.Errorf("3 replicas serve under %d ids", len(runs))
	}
	for _, pod := range workers(t, namespace) {
		withoutPrivilege(t, pod)
	}
	address, stop := forward(t, namespace, "service/stored-frontend")
	defer stop()
	answered := map[string]bool{}
	eventually(t, 60*time.Second, func() error {
		worker, err := ask(address)
		if answered[worker] = true; err == nil && len(answered) < 3 {
			err = fmt.Errorf("only %v answered", answered)
		}
		return err
	})
	fmt.Printf("    a checkpoint of 64 MiB: %s\n", restoredAs(workers(t, namespace)[0]))

	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/stored")
	run(t, "kubectl", "delete", "-n", namespace, "dynamocheckpoint", "--all")
	run(t, "kubectl", "wait", "-n", namespace, "--for=delete", "pod", "-l", "nvidia.com/dynamo-graph-deployment-name=stored", "--timeout=120s")
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes", "--prune")
	if out := run(t, "kubectl", "get", "pvc", "-n", platformOf(namespace), "chrek-pvc", "-o", "jsonpath={.status.phase}"); out != "Bound" {
		t.Errorf("once no file asks for checkpoints, their claim is %q", out)
	}
}

// restoredReplicas waits until so many pods of the worker are restored, and ready.
func restoredReplicas(t *testing.T, namespace string, want int) {
	t.Helper()
	eventually(t, 150*time.Second, func() error {
		status := run(t, "kubectl", "get", "-n", namespace, "dynamographdeployment/stored", "-o", "jsonpath={.status.checkpoints.Worker}")
		ready := 0
		pods := workers(t, namespace)
		for _, pod := range pods {
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && restoredAs(pod) != "" {
					ready++
				}
			}
		}
		if ready != want || len(pods) != want || !strings.Contains(status, fmt.Sprintf(`"restoredReplicas":%d`, want)) {
			return fmt.Errorf("%d of %d pods are restored and ready, want %d; the graph says %s", ready, len(pods), want, status)
		}
		return nil
	})
}

// restoredAs is what the agent says of a pod that was restored; "" if it was not.
func restoredAs(pod corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == "nvidia.com/Restored" && c.Status == corev1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

func workers(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	out := run(t, "kubectl", "get", "pods", "-n", namespace, "-o", "json", "-l",
		"nvidia.com/dynamo-graph-deployment-name=stored,nvidia.com/dynamo-component-type=worker")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func processes(t *testing.T, namespace string) []process {
	t.Helper()
	var all []process
	for _, pod := range workers(t, namespace) {
		address, stop := forwardPort(t, namespace, "pod/"+pod.Name, 9090)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/standin/process", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var p process
		err = json.NewDecoder(response.Body).Decode(&p)
		_ = response.Body.Close()
		stop()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// withoutPrivilege: a pod that was restored has none that another has not.
func withoutPrivilege(t *testing.T, pod corev1.Pod) {
	t.Helper()
	if pod.Spec.HostIPC || pod.Spec.HostPID || pod.Spec.HostNetwork {
		t.Errorf("pod %s is in namespaces of its node", pod.Name)
	}
	for _, c := range pod.Spec.Containers {
		if s := c.SecurityContext; s != nil && (s.Privileged != nil && *s.Privileged || s.Capabilities != nil && len(s.Capabilities.Add) > 0) {
			t.Errorf("container %s of pod %s: %+v", c.Name, pod.Name, s)
		}
	}
	for _, v := range pod.Spec.Volumes {
		if v.HostPath != nil || v.PersistentVolumeClaim != nil {
			t.Errorf("pod %s mounts %s", pod.Name, v.Name)
		}
	}
}

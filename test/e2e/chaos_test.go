//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// disturbed is the namespace of the graph that disturbances happen to; it has
// prefill and decode, so its workers have generations.
const disturbed = "team-b"

// disturbance is something that goes wrong around a graph.
type disturbance struct {
	name string
	do   func(*testing.T)
	// answers is the generation that answers in the end, "" for whichever did.
	answers string
}

// brief are those of each run of the end-to-end tests, which kill an operator
// elsewhere; make chaos has more.
var brief = []disturbance{
	{"thirty edits at once", thirtyEdits, "30"},
	{"children are deleted by hand", childrenDeleted, ""},
	{"the API server is restarted", restartAPIServer, ""},
}

// disturbances happen while the graph is asked fifty times a second. It gets where
// its spec says, and no request fails.
func disturbances(t *testing.T) {
	for _, d := range brief {
		if !t.Run(d.name, func(t *testing.T) { holds(t, d) }) {
			return
		}
	}
}

func holds(t *testing.T, d disturbance) {
	t.Helper()
	// Not through the API server, which would take the requests along.
	questions := askAllTheTime("http://" + run(t, "kubectl", "get", "-n", disturbed, "service/summarize-frontend", "-o", "jsonpath={.spec.clusterIP}") + ":8000")
	d.do(t)
	eventually(t, 3*time.Minute, func() error {
		if last := questions.last(); last == "" || d.answers != "" && last != d.answers {
			return fmt.Errorf("%q answers, want %q", last, d.answers)
		}
		return nil
	})
	waitReady(t)
	if seen := questions.end(); seen.failed > 0 || seen.mixed > 0 {
		t.Errorf("%+v, the first error: %v", seen, seen.err)
	}
}

func waitReady(t *testing.T) {
	t.Helper()
	eventually(t, 3*time.Minute, func() error {
		out := run(t, "kubectl", "get", "-n", disturbed, "dynamographdeployment/summarize", "-o",
			`jsonpath={.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}`)
		if fields := strings.Fields(out); len(fields) < 3 || fields[0] != fields[1] || fields[2] != "True" {
			return fmt.Errorf("the graph says %s", out)
		}
		return nil
	})
}

func edit(generation string) string {
	envs := "null"
	if generation != "" {
		envs = fmt.Sprintf(`[{"name":"STANDIN_GENERATION","value":%q}]`, generation)
	}
	return fmt.Sprintf(`{"spec":{"services":{"decode":{"envs":%[1]s},"prefill":{"envs":%[1]s}}}}`, envs)
}

func thirtyEdits(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	graphs := client.Resource(schema.GroupVersionResource{Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamographdeployments"}).Namespace(disturbed)
	for i := range 30 {
		if _, err := graphs.Patch(context.Background(), "summarize", types.MergePatchType, []byte(edit(fmt.Sprint(i+1))), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// childrenDeleted leaves alone what takes its pods or its address along, as it
// would those of any Deployment: pods, the account they run as, and the Service.
func childrenDeleted(t *testing.T) {
	const children = "dynamocomponentdeployments,deployments,roles,rolebindings"
	list := func() map[string]string {
		uids := map[string]string{}
		for line := range strings.Lines(run(t, "kubectl", "get", "-n", disturbed, children, "-l", "nvidia.com/dynamo-graph-deployment-name=summarize",
			"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{"\n"}{end}`)) {
			child, uid, _ := strings.Cut(strings.TrimSpace(line), " ")
			uids[child] = uid
		}
		return uids
	}
	before := list()
	// kubectl would wait for the end of the new ones too, if one goes before it asks.
	run(t, "kubectl", "delete", "-n", disturbed, children, "-l", "nvidia.com/dynamo-graph-deployment-name=summarize", "--cascade=orphan", "--wait=false")
	eventually(t, time.Minute, func() error {
		now := list()
		for child, uid := range before {
			if now[child] == "" || now[child] == uid {
				return fmt.Errorf("%s has not been made anew: there are %v, there were %v", child, now, before)
			}
		}
		return nil
	})
}

// restartAPIServer kills the node's API server and starts it again as it was, in
// the namespaces of the node, and in the book of drydock.
func restartAPIServer(t *testing.T) {
	pids := filepath.Join(stateDir(), "clusters", node, "pids")
	server, etcd := recorded(t, filepath.Join(pids, "kube-apiserver")), recorded(t, filepath.Join(pids, "etcd"))
	line, err := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", server[0]))
	if err != nil {
		t.Fatal(err)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%s/environ", server[0]))
	if err != nil {
		t.Fatal(err)
	}
	run(t, "kill", "-KILL", server[0])
	// Its port is free when it is gone.
	eventually(t, 30*time.Second, func() error {
		if _, err := os.Stat("/proc/" + server[0]); err == nil {
			return fmt.Errorf("the API server, PID %s, has not ended", server[0])
		}
		return nil
	})
	words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
	cmd := exec.CommandContext(context.Background(), "nsenter", append([]string{"--target", etcd[0], "--mount", "--net", "--cgroup", "--"}, words...)...)
	cmd.Env = strings.Split(strings.TrimRight(string(environ), "\x00"), "\x00")
	logFile := filepath.Join(stateDir(), "clusters", node, "logs", "kube-apiserver.log")
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	t.Cleanup(func() {
		if text, err := os.ReadFile(logFile); t.Failed() && err == nil {
			t.Logf("the API server says:\n%s", text[max(0, len(text)-2000):])
		}
	})
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// Behind the name, which may have blanks: the 22nd field is when it began.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	book := fmt.Sprintf("%d %s %s\n", cmd.Process.Pid, fields[19], server[2])
	if err := os.WriteFile(filepath.Join(pids, "kube-apiserver"), []byte(book), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func() error {
		_, err := command("kubectl", "get", "--raw", "/readyz")
		return err
	})
}

// recorded is a process of the node: its PID, when it began, and in which boot.
func recorded(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		t.Fatalf("%s has %q", file, text)
	}
	return fields
}

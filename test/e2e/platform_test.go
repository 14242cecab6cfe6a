//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const fleet = "demo/fleet.yaml"

// platformOf is the namespace of the platform that serves a tenant's.
func platformOf(tenant string) string { return tenant + "-platform" }

// TestPlatform is the life of a platform, in the order in which it happens:
// each part builds on the one before.
func TestPlatform(t *testing.T) {
	steps := []struct {
		name string
		test func(*testing.T)
	}{
		{"install two tenants", install},
		{"a second apply changes nothing", applyAgain},
		{"the list of images is what runs", func(t *testing.T) { imagesRun(t, fleet) }},
		{"graphs become Ready", graphsReady},
		{"questions are answered by the tenant's own workers", askBoth},
		{"workers of two specs never answer together", generations},
		{"disturbances lose no request", disturbances},
		{"mistakes in graphs are named, with what to do", mistakes},
		{"adapters are loaded and listed", adapters},
		{"groups of pods run a model over two nodes", groups},
		{"a planner and an autoscaler scale a service", planners},
		{"an endpoint picker names frontends of its graph", pickers},
		{"a request becomes a graph that answers", requests},
		{"graphs are written in both versions, whatever happens to what converts", versions},
		{"replicas start from a checkpoint of the first", checkpoints},
		{"stock Helm knows the releases", stockHelm},
		{"apply repairs an uninstalled release", repair},
		{"the operators have the rights they need and no wildcard", rights},
		{"idle operators write nothing", idle},
		{"wrong input is refused and changes nothing", wrongInput},
		{"a cluster-wide operator is refused next to restricted ones", mixedScopes},
		{"destroy keeps CRDs and data", destroy},
		{"stock Helm installs the packages offline", stockInstall},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.test) {
			return
		}
	}
}

func install(t *testing.T) {
	// The lock of an earlier run may be of another fixture.
	run(t, "wheelhouse", "deps", "lock", "-f", fleet, "--update")
	out := run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	for _, want := range []string{"dynamo-crds", "team-a", "team-b"} {
		if !strings.Contains(out, want) {
			t.Errorf("the final table does not mention %s:\n%s", want, out)
		}
	}
}

func applyAgain(t *testing.T) {
	before := revisions(t)
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	if after := revisions(t); after != before {
		t.Errorf("releases changed:\n%s\nthen\n%s", before, after)
	}
}

// revisions lists all releases with their revision numbers.
func revisions(t *testing.T) string {
	var releases []struct{ Name, Namespace, Revision, Status string }
	if err := json.Unmarshal([]byte(run(t, "helm", "list", "-A", "-o", "json")), &releases); err != nil {
		t.Fatal(err)
	}
	lines := make([]string, 0, len(releases))
	for _, r := range releases {
		lines = append(lines, fmt.Sprintf("%s/%s %s %s", r.Namespace, r.Name, r.Revision, r.Status))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// imagesRun holds the list of images that run against the pods of the platforms, and what
// is added to pods of graphs against the list.
func imagesRun(t *testing.T, file string) {
	t.Helper()
	var all []struct {
		Image string
		Runs  bool
	}
	if err := json.Unmarshal([]byte(run(t, "wheelhouse", "images", "-f", file, "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, image := range all {
		if image.Runs {
			listed = append(listed, image.Image)
		}
	}
	var runs, added []string
	for _, tenant := range []string{"team-a", "team-b"} {
		const containers, initial = "{.items[*].spec.containers[*].image}", "{.items[*].spec.initContainers[*].image}"
		of := func(namespace, fields string) []string {
			return strings.Fields(run(t, "kubectl", "get", "pods", "-n", namespace, "--field-selector=status.phase!=Succeeded,status.phase!=Failed", "-o", "jsonpath="+fields))
		}
		runs = append(runs, of(platformOf(tenant), containers+" "+initial)...)
		added = append(added, of(tenant, initial)...)
	}
	slices.Sort(listed)
	slices.Sort(runs)
	if runs = slices.Compact(runs); !slices.Equal(listed, runs) {
		t.Errorf("listed as what runs:\n%s\nwhat runs:\n%s", strings.Join(listed, "\n"), strings.Join(runs, "\n"))
	}
	for _, image := range added {
		if !slices.Contains(listed, image) {
			t.Errorf("%s runs in a pod of a graph, and is not listed", image)
		}
	}
}

func graphsReady(t *testing.T) {
	for tenant, graph := range map[string]string{"team-a": "chat", "team-b": "summarize"} {
		run(t, "kubectl", "apply", "--server-side", "-n", tenant, "-f", "demo/graphs/"+tenant+".yaml")
		run(t, "kubectl", "wait", "-n", tenant, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/"+graph)
	}
	if log := run(t, "kubectl", "logs", "-n", "team-a", "deployment/chat-worker"); !strings.Contains(log, "connected to NATS") {
		t.Errorf("a worker that publishes KV events runs without NATS:\n%s", log)
	}
	run(t, "wheelhouse", "status", "-f", fleet)
}

func askBoth(t *testing.T) {
	workersOfA := map[string]bool{}
	address, stop := forward(t, "team-a", "service/chat-frontend")
	defer stop()
	eventually(t, 30*time.Second, func() error {
		worker, err := ask(address)
		if err != nil {
			return err
		}
		workersOfA[worker] = true
		if len(workersOfA) < 2 {
			return fmt.Errorf("only %v answered", workersOfA)
		}
		return nil
	})
	for worker := range workersOfA {
		run(t, "kubectl", "get", "pod", "-n", "team-a", worker)
	}
	address, stopB := forward(t, "team-b", "service/summarize-frontend")
	defer stopB()
	eventually(t, 30*time.Second, func() error {
		worker, err := ask(address)
		if err == nil && !strings.HasPrefix(worker, "summarize-decode-") {
			err = fmt.Errorf("%s answered, want the decode worker", worker)
		}
		return err
	})
}

// ask puts a question to a frontend and returns the worker that answered.
func ask(address string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	body := `{"model":"Qwen/Qwen3-0.6B","messages":[{"role":"user","content":"Who answers?"}]}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	worker := response.Header.Get("x-dynamo-worker")
	if response.StatusCode != http.StatusOK || worker == "" {
		return "", fmt.Errorf("%s: %s", response.Status, answer)
	}
	if !bytes.Contains(answer, []byte(worker)) {
		return "", fmt.Errorf("the answer does not name the worker %s: %s", worker, answer)
	}
	return worker, nil
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forward opens a local port to a frontend's service and returns its URL.
func forward(t *testing.T, namespace, target string) (address string, stop func()) {
	t.Helper()
	address, stop = forwardPort(t, namespace, target, 8000)
	return "http://" + address, stop
}

// forwardPort opens a local port to that of a service and returns its address.
func forwardPort(t *testing.T, namespace, target string, port int) (address string, stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", "port-forward", "-n", namespace, target, fmt.Sprintf(":%d", port))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return match[1], stop
		}
	}
	stop()
	t.Fatalf("port-forward to %s/%s: %s", namespace, target, stderr.String())
	return "", nil
}

func stockHelm(t *testing.T) {
	for _, namespace := range []string{"team-a", "team-b"} {
		history := run(t, "helm", "history", "dynamo-platform", "-n", platformOf(namespace))
		if !strings.Contains(history, "deployed") {
			t.Errorf("helm history in %s shows no deployed revision:\n%s", namespace, history)
		}
	}
}

func repair(t *testing.T) {
	run(t, "helm", "uninstall", "dynamo-platform", "-n", platformOf("team-a"))
	if out := fails(t, "wheelhouse", "status", "-f", fleet); !strings.Contains(out, "team-a") {
		t.Errorf("status does not name the missing release:\n%s", out)
	}
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
	run(t, "kubectl", "wait", "-n", "team-a", "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/chat")
	run(t, "wheelhouse", "status", "-f", fleet)
}

func rights(t *testing.T) {
	for _, namespace := range []string{"team-a", "team-b"} {
		log := run(t, "kubectl", "logs", "-n", platformOf(namespace), "-l", "control-plane=controller-manager", "--tail=-1")
		if strings.Contains(strings.ToLower(log), "forbidden") {
			t.Errorf("the operator in %s was refused something:\n%s", namespace, log)
		}
		account := "system:serviceaccount:" + platformOf(namespace) + ":dynamo-platform-dynamo-operator-controller-manager"
		list := run(t, "kubectl", "auth", "can-i", "--list", "-n", namespace, "--as", account)
		for line := range strings.Lines(list) {
			if strings.Contains(line, "*.*") || strings.Contains(line, "[*]") && !strings.HasPrefix(strings.TrimSpace(line), "[") {
				t.Errorf("a wildcard in %s: %s", namespace, line)
			}
			if strings.HasPrefix(line, "secrets") {
				t.Errorf("the operator in %s may use Secrets: %s", namespace, line)
			}
		}
	}
}

// idle counts, in the API server's audit log, what the operators write while
// nothing happens. Lease renewals are a sign of life and not counted.
func idle(t *testing.T) {
	const quiet = 45 * time.Second
	for _, namespace := range []string{"team-a", "team-b"} {
		awaitLeader(t, platformOf(namespace))
	}
	since := time.Now()
	time.Sleep(quiet)
	writes, err := operatorWrites(since)
	if err != nil {
		t.Fatal(err)
	}
	if len(writes) > 0 {
		t.Errorf("%d writes in %s of idleness:\n%s", len(writes), quiet, strings.Join(writes, "\n"))
	}
}

// awaitLeader waits until a running operator leads: the one before it may have
// been removed without a chance to hand over.
func awaitLeader(t *testing.T, namespace string) {
	eventually(t, time.Minute, func() error {
		holder := run(t, "kubectl", "get", "lease", "-n", namespace, "dynamo.nvidia.com", "-o", "jsonpath={.spec.holderIdentity}")
		pod, _, _ := strings.Cut(holder, "_")
		if pod == "" {
			return fmt.Errorf("nobody leads in %s", namespace)
		}
		_, err := command("kubectl", "get", "pod", "-n", namespace, pod)
		return err
	})
}

func operatorWrites(since time.Time) ([]string, error) {
	log, err := os.ReadFile(filepath.Join(stateDir(), "clusters", node, "audit.log"))
	if err != nil {
		return nil, err
	}
	var writes []string
	decoder := json.NewDecoder(bytes.NewReader(log))
	for {
		var event struct {
			Stage, Verb              string
			RequestReceivedTimestamp time.Time
			User                     struct{ Username string }
			ObjectRef                struct{ Resource, Namespace, Name, Subresource string }
		}
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return writes, nil
		} else if err != nil {
			return nil, err
		}
		switch {
		case event.Stage != "ResponseComplete" || event.RequestReceivedTimestamp.Before(since):
		case !strings.HasSuffix(event.User.Username, "-dynamo-operator-controller-manager"):
		case event.ObjectRef.Resource == "leases":
		case event.Verb == "create" || event.Verb == "update" || event.Verb == "patch" || event.Verb == "delete":
			writes = append(writes, fmt.Sprintf("%s %s %s/%s %s", event.Verb, event.ObjectRef.Resource, event.ObjectRef.Namespace, event.ObjectRef.Name, event.ObjectRef.Subresource))
		}
	}
}

func stateDir() string {
	if dir := os.Getenv("DRYDOCK_STATE"); dir != "" {
		return dir
	}
	return "/var/lib/drydock"
}

func wrongInput(t *testing.T) {
	before := revisions(t)
	write := func(content string) string {
		file := filepath.Join(t.TempDir(), "fleet.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	header := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: wrong}\n"
	for name, test := range map[string]struct{ file, want string }{
		"unknown field": {write(header + "spec:\n  platform:\n    - namespace: team-a\n"), "platforms"},
		"missing file":  {filepath.Join(t.TempDir(), "nothing.yaml"), "nothing.yaml"},
		"missing values": {
			write(header + "spec:\n  platforms:\n    - {namespace: team-a, scope: namespace, values: [nothing-values.yaml]}\n"), "nothing-values.yaml",
		},
	} {
		if out := fails(t, "wheelhouse", "apply", "-f", test.file, "--yes"); !strings.Contains(out, test.want) {
			t.Errorf("%s: the error does not say %q:\n%s", name, test.want, out)
		}
	}
	out := fails(t, "env", "KUBECONFIG="+filepath.Join(t.TempDir(), "none"), "wheelhouse", "apply", "-f", fleet, "--yes")
	if strings.Count(strings.TrimSpace(out), "\n") > 4 {
		t.Errorf("no cluster: more than one clear error:\n%s", out)
	}

	// A namespace that is going away but held by a finalizer.
	run(t, "kubectl", "create", "namespace", "leaving")
	run(t, "kubectl", "-n", "leaving", "create", "configmap", "holder")
	run(t, "kubectl", "-n", "leaving", "patch", "configmap", "holder", "-p", `{"metadata":{"finalizers":["example.com/hold"]}}`)
	run(t, "kubectl", "delete", "namespace", "leaving", "--wait=false")
	terminating := write(header + "spec:\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms:\n    - {namespace: leaving, scope: namespace}\n    - {namespace: other, scope: namespace}\n")
	if out := fails(t, "wheelhouse", "apply", "-f", terminating, "--yes"); !strings.Contains(out, "leaving is being deleted") {
		t.Errorf("the error does not say that the namespace is terminating:\n%s", out)
	}
	if _, err := command("kubectl", "get", "namespace", "other"); err == nil {
		t.Error("a refused apply created a namespace")
	}
	run(t, "kubectl", "-n", "leaving", "patch", "configmap", "holder", "--type=json", "-p", `[{"op":"remove","path":"/metadata/finalizers"}]`)

	if after := revisions(t); after != before {
		t.Errorf("refused input changed releases:\n%s\nthen\n%s", before, after)
	}
}

func mixedScopes(t *testing.T) {
	before := revisions(t)
	out := fails(t, "wheelhouse", "apply", "-f", "test/samples/fleet.yaml", "--yes")
	if !strings.Contains(out, "team-a") {
		t.Errorf("the refusal does not name the other operator:\n%s", out)
	}
	out = fails(t, "helm", "install", "dynamo-platform", archive(t, "dynamo-platform"), "-n", "dynamo-system", "--create-namespace", "--set", "nats.enabled=false")
	if !strings.Contains(out, "restricted dynamo-operator") {
		t.Errorf("plain Helm's refusal does not say why:\n%s", out)
	}
	if after := revisions(t); after != before {
		t.Errorf("a refused install changed releases:\n%s\nthen\n%s", before, after)
	}
}

func destroy(t *testing.T) {
	out := run(t, "wheelhouse", "destroy", "-f", fleet, "--yes", "--with-graphs")
	if !strings.Contains(out, "CRD") {
		t.Errorf("destroy does not say that CRDs stay:\n%s", out)
	}
	run(t, "kubectl", "get", "crd", "dynamographdeployments.nvidia.com")
	eventually(t, 90*time.Second, func() error {
		pods := run(t, "kubectl", "get", "pods", "-A", "-l", "nvidia.com/dynamo-graph-deployment-name", "-o", "name")
		operators := run(t, "kubectl", "get", "pods", "-A", "-l", "control-plane=controller-manager", "-o", "name")
		if pods+operators != "" {
			return fmt.Errorf("pods are left:\n%s%s", pods, operators)
		}
		return nil
	})
	if left := revisions(t); strings.Contains(left, "dynamo-platform") {
		t.Errorf("releases are left:\n%s", left)
	}
}

// stockInstall also finds the CRDs, and the record of them, that destroy has kept.
// Without NATS the workers' KV events go another way.
func stockInstall(t *testing.T) {
	run(t, "helm", "upgrade", "--install", "dynamo-crds", archive(t, "dynamo-crds"), "--wait")
	run(t, "helm", "install", "dynamo-platform", archive(t, "dynamo-platform"), "-n", "plain", "--create-namespace", "--wait",
		"--set", "dynamo-operator.namespaceRestriction.enabled=true,nats.enabled=false")
	run(t, "kubectl", "apply", "--server-side", "-n", "plain", "-f", "demo/graphs/team-a.yaml")
	run(t, "kubectl", "wait", "-n", "plain", "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/chat")
	run(t, "kubectl", "delete", "-n", "plain", "dynamographdeployment/chat")
	run(t, "helm", "uninstall", "dynamo-platform", "-n", "plain", "--wait")
}

// archive is the package of a chart that make charts has written.
func archive(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "dist", "charts", name+"-[0-9]*.tgz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages of %s: %v %v; run `make charts`", name, found, err)
	}
	absolute, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

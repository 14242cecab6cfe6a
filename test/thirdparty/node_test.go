//go:build e2e

package thirdparty

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	node      = "thirdparty"
	namespace = "inference"
	// etcdImage is what the platform's values name; on the node it is the fixture's.
	etcdImage = "docker.io/bitnamilegacy/etcd:3.5.18-debian-12-r5"
)

// TestNode carries the platform with NATS and etcd to a cluster without a way
// out, in a bundle, and lets pods register and talk through them.
func TestNode(t *testing.T) {
	up(t)
	site := bundleForSite(t)
	for _, step := range []struct {
		name string
		test func(*testing.T)
	}{
		{"the platform is refused without the charts", site.refused},
		{"a bundle is loaded without a network", site.load},
		{"the platform is applied", site.apply},
		{"pods register and talk", site.talk},
		{"messages and keys survive a restart", site.restart},
		{"volumes grow under servers that go on", site.grow},
		{"the platform is removed", site.destroy},
		{"stock Helm installs the package with fixtures", site.stockHelm},
		{"stock Helm keeps a restricted set", func(t *testing.T) { site.lifecycle(t, "namespace") }},
		{"stock Helm keeps a cluster-wide set", func(t *testing.T) { site.lifecycle(t, "cluster") }},
	} {
		if !t.Run(step.name, step.test) {
			return
		}
	}
}

func up(t *testing.T) {
	t.Helper()
	root := abs(t, filepath.Join("..", ".."))
	t.Setenv("PATH", filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		// The test's own context is over.
		if out, err := exec.CommandContext(context.Background(), "drydock", "down", "--name", node).CombinedOutput(); err != nil {
			t.Errorf("drydock down: %v\n%s", err, out)
		}
	})
	run(t, "drydock", "up", "--name", node, "--gpus", "1")
	for _, archive := range []string{"images/dynamo-operator", "images/chrek-agent", "fixtures/fixture-nats", "fixtures/fixture-client"} {
		run(t, "drydock", "load", "--name", node, filepath.Join(root, "dist", archive+".tar"))
	}
	for _, image := range []struct{ fixture, as string }{
		{"etcd", etcdImage},
		{"job", "ghcr.io/wheelhouse-dev/fixture-kai/crd-upgrader:v0.9.4"},
		{"operator", "ghcr.io/wheelhouse-dev/fixture-kai/operator:v0.9.4"},
		{"operator", "ghcr.io/wheelhouse-dev/fixture-grove:v0.1.0-alpha.6"},
	} {
		run(t, "drydock", "load", "--name", node, filepath.Join(root, "dist/fixtures/fixture-"+image.fixture+".tar"), "--as", image.as)
	}
	t.Setenv("KUBECONFIG", strings.TrimSpace(run(t, "drydock", "kubeconfig", "--path", "--name", node)))
	for line := range strings.Lines(run(t, "drydock", "env", "--name", node)) {
		// kubectl comes with the node.
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export PATH="); ok {
			first, _, _ := strings.Cut(strings.Trim(value, `"'`), ":")
			t.Setenv("PATH", first+":"+os.Getenv("PATH"))
		}
	}
}

// site is a machine whose only way to anything third-party is a bundle.
type site struct {
	fleet, bundle, digest string
	nats, etcd            string
	// last are the newest message and revision that were seen.
	last [2]int
}

// bundleForSite works on a machine that has a mirror, then leaves it: another
// cache, another folder, and a proxy that leads nowhere.
func bundleForSite(t *testing.T) *site {
	t.Helper()
	s := &site{fleet: filepath.Join(t.TempDir(), "fleet.yaml"), bundle: filepath.Join(t.TempDir(), "site.tar.gz")}
	fleet, err := os.ReadFile("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.fleet, fleet)
	home := filepath.Join(t.TempDir(), "fleet.yaml")
	write(t, home, fleet)

	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	charts := abs(t, "charts")
	run(t, "wheelhouse", "deps", "pull", "-f", home,
		"--mirror", "https://nats-io.github.io/k8s/helm/charts="+charts, "--mirror", "https://charts.bitnami.com/bitnami="+charts)
	out := run(t, "wheelhouse", "bundle", "create", "-f", home, "-o", s.bundle)
	s.digest = regexp.MustCompile(`digest (sha256:[0-9a-f]+)`).FindStringSubmatch(out)[1]
	for _, image := range []string{"ghcr.io/wheelhouse-dev/fixture-nats:1.0.0", strings.TrimPrefix(etcdImage, "docker.io/")} {
		if !strings.Contains(out, image) {
			t.Errorf("the bundle's list of images lacks %s:\n%s", image, out)
		}
	}

	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, variable := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(variable, "http://127.0.0.1:1")
	}
	t.Setenv("NO_PROXY", "10.0.0.0/8,127.0.0.1")
	return s
}

func (s *site) refused(t *testing.T) {
	out, err := command("wheelhouse", "apply", "-f", s.fleet, "--yes")
	if err == nil || !strings.Contains(out, "wheelhouse deps pull") {
		t.Errorf("%v\n%s", err, out)
	}
}

func (s *site) load(t *testing.T) {
	run(t, "unshare", "--net", "wheelhouse", "bundle", "load", s.bundle, "-f", s.fleet, "--digest", s.digest)
}

func (s *site) apply(t *testing.T) {
	run(t, "wheelhouse", "apply", "-f", s.fleet, "--yes")
	s.ready(t)
	config := run(t, "kubectl", "get", "-n", namespace, "configmap", "dynamo-platform-dynamo-operator-config", "-o", "jsonpath={.data}")
	s.nats = told(t, config, "natsAddress")
	s.etcd = told(t, config, "etcdAddress")
	run(t, "wheelhouse", "apply", "-f", s.fleet, "--yes")
	if out := run(t, "helm", "history", "-n", namespace, "dynamo-platform", "-o", "json"); strings.Count(out, `"revision"`) != 1 {
		t.Errorf("a second apply made another revision: %s", out)
	}
}

// told is an address that the operator passes on to workloads.
func told(t *testing.T, config, field string) string {
	t.Helper()
	found := regexp.MustCompile(field + `: \\?"([^"\\]+)`).FindStringSubmatch(config)
	if found == nil {
		t.Fatalf("the operator's configuration has no %s:\n%s", field, config)
	}
	return found[1]
}

func (s *site) ready(t *testing.T) {
	t.Helper()
	for _, name := range []string{"nats", "etcd"} {
		run(t, "kubectl", "rollout", "status", "-n", namespace, "statefulset/dynamo-platform-"+name, "--timeout=120s")
	}
}

func (s *site) talk(t *testing.T) {
	s.create(t, "worker", "worker")
	s.ask(t, "first")
}

// restart replaces both servers' pods: what they knew is on their volumes.
func (s *site) restart(t *testing.T) {
	for _, name := range []string{"nats", "etcd"} {
		run(t, "kubectl", "delete", "pod", "-n", namespace, "dynamo-platform-"+name+"-0", "--wait")
	}
	s.ready(t)
	before := s.last
	s.ask(t, "second")
	if s.last[0] <= before[0] || s.last[1] <= before[1] {
		t.Errorf("message and revision were %v, after the restart they are %v", before, s.last)
	}
}

// grow makes the volumes of both servers bigger: their StatefulSets are replaced, and
// their pods, and what they know, stay.
func (s *site) grow(t *testing.T) {
	bigger := []string{"-f", s.fleet, "--set", "platform.nats.config.jetstream.fileStore.pvc.size=12Gi", "--set", "platform.etcd.persistence.size=3Gi"}
	out, err := command(append([]string{"wheelhouse", "plan"}, bigger...)...)
	if err == nil || !strings.Contains(out, "storage class standard does not allow expansion") {
		t.Errorf("the plan does not say that the class keeps volumes as they are: %v\n%s", err, out)
	}
	run(t, "kubectl", "patch", "storageclass", "standard", "-p", `{"allowVolumeExpansion": true}`)
	pods := func() string {
		return run(t, "kubectl", "get", "pods", "-n", namespace, "dynamo-platform-nats-0", "dynamo-platform-etcd-0", "-o",
			`jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount} {.status.containerStatuses[*].containerID}{"\n"}{end}`)
	}
	before, last := pods(), s.last
	run(t, append([]string{"wheelhouse", "apply", "--yes", "--recreate", "StatefulSet/dynamo-platform-nats", "--recreate", "StatefulSet/dynamo-platform-etcd"}, bigger...)...)
	if after := pods(); after != before {
		t.Errorf("pods were\n%sand are\n%s", before, after)
	}
	sizes := run(t, "kubectl", "get", "pvc", "-n", namespace, "-o", `jsonpath={range .items[*]}{.metadata.name} {.spec.resources.requests.storage}{"\n"}{end}`)
	for _, want := range []string{"dynamo-platform-nats-js-dynamo-platform-nats-0 12Gi\n", "data-dynamo-platform-etcd-0 3Gi\n"} {
		if !strings.Contains(sizes, want) {
			t.Errorf("%q is missing from the claims:\n%s", want, sizes)
		}
	}
	if s.ask(t, "grown"); s.last[0] <= last[0] || s.last[1] <= last[1] {
		t.Errorf("message and revision were %v, and are %v after the volumes grew", last, s.last)
	}
	if out := run(t, append([]string{"wheelhouse", "plan", "--drift"}, bigger...)...); !strings.Contains(out, "No changes") {
		t.Errorf("a second plan is not empty:\n%s", out)
	}
}

func (s *site) destroy(t *testing.T) {
	run(t, "kubectl", "delete", "-n", namespace, "deployment", "worker")
	run(t, "wheelhouse", "destroy", "-f", s.fleet, "--yes", "--purge-data")
	run(t, "kubectl", "wait", "-n", namespace, "--for=delete", "--timeout=60s", "pvc", "--all")
	out := run(t, "kubectl", "get", "-n", namespace, "statefulsets,services", "-o", "name")
	if strings.Contains(out, "nats") || strings.Contains(out, "etcd") {
		t.Errorf("left behind:\n%s", out)
	}
}

// stockHelm installs a package of `make fixtures` with nothing of ours.
func (s *site) stockHelm(t *testing.T) {
	packages := filepath.Join("..", "..", "dist", "fixtures")
	run(t, "helm", "install", "dynamo-platform", filepath.Join(packages, "dynamo-platform-1.0.0+fixtures.tgz"), "-n", namespace, "--wait",
		"--set", "nats.enabled=true,etcd.enabled=true,grove.enabled=true,kai-scheduler.enabled=true")
	s.ready(t)
	s.create(t, "worker", "worker")
	s.last = [2]int{}
	s.ask(t, "third")
	run(t, "kubectl", "wait", "--for=condition=Established", "--timeout=30s", "crd", "podcliquesets.grove.io", "podcliques.grove.io",
		"podcliquescalinggroups.grove.io", "queues.scheduling.run.ai")
	run(t, "helm", "uninstall", "-n", namespace, "dynamo-platform", "--wait")
}

// ask runs a pod that finds the worker through etcd and asks it through NATS.
func (s *site) ask(t *testing.T, name string) {
	t.Helper()
	s.create(t, "ask", name)
	if out, err := command("kubectl", "wait", "-n", namespace, "--for=condition=Complete", "--timeout=150s", "job/"+name); err != nil {
		logs, _ := command("kubectl", "logs", "-n", namespace, "--prefix", "--tail=20", "-l", "job-name="+name)
		worker, _ := command("kubectl", "logs", "-n", namespace, "--tail=20", "deployment/worker")
		t.Fatalf("%s\n%s\nworker:\n%s", out, logs, worker)
	}
	answer := run(t, "kubectl", "logs", "-n", namespace, "job/"+name)
	t.Log(strings.TrimSpace(answer))
	found := regexp.MustCompile(`answered 10485760 bytes correctly; message (\d+) of the stream, revision (\d+)`).FindStringSubmatch(answer)
	if found == nil {
		t.Fatalf("answer: %s", answer)
	}
	for i := range s.last {
		s.last[i], _ = strconv.Atoi(found[i+1])
	}
}

// create applies a file of testdata with names and addresses filled in.
func (s *site) create(t *testing.T, file, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	filled := filepath.Join(t.TempDir(), file+".yaml")
	write(t, filled, []byte(strings.NewReplacer("$NAME", name, "$NATS", s.nats, "$ETCD", s.etcd).Replace(string(data))))
	run(t, "kubectl", "apply", "-n", namespace, "-f", filled)
}

// run runs a command that must succeed and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Logf("%s took %s", strings.Join(args[:2], " "), took.Round(100*time.Millisecond))
	}
	return stdout.String()
}

// command runs a command that may fail and returns all that it printed.
func command(args ...string) (string, error) {
	out, err := exec.CommandContext(context.Background(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}

//go:build e2e

// Package node tests the admission webhooks on a real node, installed by stock
// Helm: what upgrades, rollbacks, renewals and lost pods do to requests.
package node

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	node      = "webhook"
	namespace = "dynamo-system"
	operator  = "control-plane=controller-manager"
	reason    = "spec.services[Frontend].extraPodSpec.mainContainer.image: Required value"
	graph     = `
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: chat}
spec: {services: {Frontend: {componentType: frontend%s}}}
`
)

// dist is relative to the checkout, where all commands run.
var dist = flag.String("dist", "dist", "the `folder` of make images charts")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		defer func() {
			if _, err := command("", "bin/drydock", "down", "--name", node); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		if err := nodeUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func nodeUp() error {
	for _, args := range [][]string{
		{"up", "--name", node},
		{"load", "--name", node, filepath.Join(*dist, "images", "dynamo-operator.tar")},
	} {
		if _, err := command("", "bin/drydock", args...); err != nil {
			return err
		}
	}
	kubeconfig, err := command("", "bin/drydock", "kubeconfig", "--path", "--name", node)
	if err != nil {
		return err
	}
	env, err := command("", "bin/drydock", "env", "--name", node)
	if err != nil {
		return err
	}
	for line := range strings.Lines(env) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export PATH="); ok {
			kubectl, _, _ := strings.Cut(strings.Trim(value, `"'`), ":")
			if err := os.Setenv("PATH", kubectl+":"+os.Getenv("PATH")); err != nil {
				return err
			}
		}
	}
	return os.Setenv("KUBECONFIG", strings.TrimSpace(kubeconfig))
}

// command runs a command line in the checkout; the error carries all it printed.
func command(stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String(), nil
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command("", name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func helm(t *testing.T, args ...string) {
	t.Helper()
	run(t, "bin/helm", append(args, "--wait", "-n", namespace)...)
}

func chart(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "..", *dist, "charts", name+"-[0-9]*.tgz"))
	if filepath.IsAbs(*dist) {
		found, err = filepath.Glob(filepath.Join(*dist, "charts", name+"-[0-9]*.tgz"))
	}
	if err != nil || len(found) != 1 {
		t.Fatalf("packages of %s: %v %v; run `make charts`", name, found, err)
	}
	absolute, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func upgrade(t *testing.T, values ...string) {
	t.Helper()
	args := []string{"upgrade", "dynamo-platform", chart(t, "dynamo-platform"), "--set", "nats.enabled=false"}
	for _, value := range values {
		args = append(args, "--set", "dynamo-operator."+value)
	}
	helm(t, args...)
}

// tryOut asks the API server whether it would create a graph.
func tryOut(service string) error {
	_, err := command(fmt.Sprintf(graph, service), "kubectl", "create", "--dry-run=server", "-f", "-")
	return err
}

func good() error {
	return tryOut(", extraPodSpec: {mainContainer: {image: registry.example.com/runtime:1}}")
}

// enforced checks that the webhooks do their work.
func enforced(t *testing.T) {
	t.Helper()
	if err := tryOut(""); err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("a wrong graph: %v, want a refusal with %q", err, reason)
	}
	if err := good(); err != nil {
		t.Errorf("a good graph: %v", err)
	}
}

// losesNothing makes requests all the time while something happens.
func losesNothing(t *testing.T, happens func()) {
	t.Helper()
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		asked := 0
		for ; ; asked++ {
			select {
			case <-stop:
				t.Logf("%d requests", asked)
				return
			default:
			}
			if err := good(); err != nil {
				t.Error(err)
			}
		}
	})
	happens()
	close(stop)
	asking.Wait()
}

func TestWebhooks(t *testing.T) {
	for _, step := range []struct {
		name string
		test func(*testing.T)
	}{
		{"install", install},
		{"upgrades lose no request", upgrades},
		{"a rollback brings the webhooks back with their authority", rollback},
		{"a renewal and lost pods lose no request of two replicas", renewal},
		{"no right was missing", noRightMissing},
		{"nothing is left after an uninstall", uninstall},
	} {
		if !t.Run(step.name, step.test) {
			return
		}
	}
}

func install(t *testing.T) {
	helm(t, "install", "dynamo-crds", chart(t, "dynamo-crds"), "--create-namespace")
	helm(t, "install", "dynamo-platform", chart(t, "dynamo-platform"), "--set", "nats.enabled=false")
	// No wait: a release that is ready refuses wrong graphs.
	enforced(t)
}

func upgrades(t *testing.T) {
	losesNothing(t, func() {
		upgrade(t, "controllerManager.logLevel=debug") // replaces the pod
		upgrade(t, "controllerManager.logLevel=info", "webhook.timeoutSeconds=5")
	})
	enforced(t)
}

func rollback(t *testing.T) {
	upgrade(t, "webhook.enabled=false")
	if err := tryOut(""); err != nil {
		t.Errorf("the webhooks are off, but: %v", err)
	}
	helm(t, "rollback", "dynamo-platform", "1")
	enforced(t)
}

func renewal(t *testing.T) {
	upgrade(t, "controllerManager.replicas=2")
	authority := func() string {
		return run(t, "kubectl", "get", "validatingwebhookconfiguration", "dynamo-platform-dynamo-operator-validating", "-o", "jsonpath={.webhooks[*].clientConfig.caBundle}")
	}
	before := authority()
	losesNothing(t, func() {
		run(t, "kubectl", "delete", "secret", "-n", namespace, "webhook-server-cert")
		for deadline := time.Now().Add(time.Minute); authority() == before; {
			if time.Now().After(deadline) {
				t.Error("no new authority after a minute")
				return
			}
		}
		for _, pod := range strings.Fields(run(t, "kubectl", "get", "pod", "-n", namespace, "-l", operator, "-o", "name")) {
			run(t, "kubectl", "delete", "-n", namespace, pod)
			run(t, "kubectl", "rollout", "status", "-n", namespace, "deployment")
		}
	})
	enforced(t)
}

func noRightMissing(t *testing.T) {
	log := run(t, "kubectl", "logs", "-n", namespace, "-l", operator, "--tail=-1")
	for line := range strings.Lines(log) {
		if strings.Contains(line, "forbidden") || strings.Contains(line, `"level":"ERROR"`) {
			t.Error(line)
		}
	}
}

func uninstall(t *testing.T) {
	helm(t, "uninstall", "dynamo-platform")
	const kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles,clusterrolebindings,roles,rolebindings,services,secrets"
	var left string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		left = run(t, "kubectl", "get", kinds, "-A", "-l", "app.kubernetes.io/part-of=dynamo-operator", "-o", "name")
		if left == "" {
			break
		}
	}
	if left != "" {
		t.Errorf("left after the uninstall:\n%s", left)
	}
	if err := tryOut(""); err != nil {
		t.Errorf("a graph after the uninstall: %v", err)
	}
}

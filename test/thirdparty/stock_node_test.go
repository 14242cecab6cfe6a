//go:build e2e

package thirdparty

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// lifecycle is what stock Helm does with all our packages in one scope: install
// in the order crds, platform, chrek, upgrade, roll back, uninstall in reverse.
func (s *site) lifecycle(t *testing.T, scope string) {
	charts := map[string]string{
		"dynamo-crds":     filepath.Join("..", "..", "dist", "charts", "dynamo-crds-1.0.0.tgz"),
		"dynamo-platform": filepath.Join("..", "..", "dist", "fixtures", "dynamo-platform-1.0.0+fixtures.tgz"),
		"chrek":           filepath.Join("..", "..", "dist", "charts", "chrek-1.0.0.tgz"),
	}
	restricted := "dynamo-operator.namespaceRestriction.enabled=true"
	if scope == "cluster" {
		restricted = "dynamo-operator.namespaceRestriction.enabled=false"
	}
	platform := []string{"--set", restricted, "--set", "nats.enabled=true,etcd.enabled=true"}
	helm := func(verb, release string, more ...string) {
		args := append([]string{"helm", verb, release}, more...)
		run(t, append(args, "-n", namespace, "--wait", "--timeout", "4m")...)
	}

	run(t, "helm", "upgrade", "--install", "dynamo-crds", charts["dynamo-crds"], "-n", "default", "--wait")
	helm("install", "dynamo-platform", append([]string{charts["dynamo-platform"]}, platform...)...)
	helm("install", "chrek", charts["chrek"], "--set", "storage.pvc.size=1Gi")
	s.ready(t)
	running(t)
	noClusterRoles(t, scope)
	s.create(t, "worker", "worker")
	s.last = [2]int{}
	s.ask(t, "installed-"+scope)

	run(t, "helm", "upgrade", "dynamo-crds", charts["dynamo-crds"], "-n", "default", "--wait")
	helm("upgrade", "dynamo-platform", append([]string{charts["dynamo-platform"], "--set", "dynamo-operator.controllerManager.replicas=2"}, platform...)...)
	helm("upgrade", "chrek", charts["chrek"], "--set", "storage.pvc.size=1Gi,config.agent.logLevel=debug")
	if got := replicas(t); got != "2" {
		t.Errorf("%s operators after the upgrade, want 2", got)
	}
	helm("rollback", "dynamo-platform", "1")
	helm("rollback", "chrek", "1")
	if got := replicas(t); got != "1" {
		t.Errorf("%s operators after the rollback, want 1", got)
	}
	running(t)
	s.ready(t)
	s.ask(t, "rolled-back-"+scope)
	run(t, "kubectl", "delete", "-n", namespace, "deployment", "worker")

	helm("uninstall", "chrek")
	helm("uninstall", "dynamo-platform")
	run(t, "helm", "uninstall", "dynamo-crds", "-n", "default")
	run(t, "kubectl", "get", "-n", namespace, "pvc", "chrek-pvc")
	for _, crd := range []string{"dynamographdeployments", "dynamocheckpoints", "dynamoworkermetadatas"} {
		run(t, "kubectl", "get", "crd", crd+".nvidia.com")
	}
	run(t, "kubectl", "delete", "-n", namespace, "pvc", "--all")
}

// running waits for the operator and for the agent on every node that it
// should be on.
func running(t *testing.T) {
	t.Helper()
	run(t, "kubectl", "rollout", "status", "-n", namespace, "deployment/dynamo-platform-dynamo-operator-controller-manager", "--timeout=120s")
	run(t, "kubectl", "rollout", "status", "-n", namespace, "daemonset/chrek-agent", "--timeout=120s")
}

func replicas(t *testing.T) string {
	t.Helper()
	return run(t, "kubectl", "get", "-n", namespace, "deployment/dynamo-platform-dynamo-operator-controller-manager", "-o", "jsonpath={.spec.replicas}")
}

// noClusterRoles: a restricted platform has no right outside its namespace.
func noClusterRoles(t *testing.T, scope string) {
	t.Helper()
	if scope == "cluster" {
		return
	}
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(run(t, "kubectl", "get", "clusterroles,clusterrolebindings", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		if item.Metadata.Annotations["meta.helm.sh/release-namespace"] == namespace {
			t.Errorf("a release in %s has %s %s", namespace, item.Kind, item.Metadata.Name)
		}
	}
	log := run(t, "kubectl", "logs", "-n", namespace, "-l", "control-plane=controller-manager", "--tail=-1")
	if strings.Contains(strings.ToLower(log), "forbidden") {
		t.Errorf("the operator was refused something:\n%s", log)
	}
}

package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAPIOnlyCluster(t *testing.T) {
	c := newCluster(t, "api")
	c.drydock("up", "--api-only")
	dir := c.dir()

	t.Run("a second up does nothing and says so", func(t *testing.T) {
		before := c.status()
		if said := c.drydock("up", "--api-only"); !strings.Contains(said, "already up") {
			t.Errorf("said %q", said)
		}
		if after := c.status(); after.Components[0].PID != before.Components[0].PID {
			t.Error("it started something")
		}
	})
	t.Run("other options are refused", func(t *testing.T) {
		if said, err := c.try("up"); err == nil {
			t.Errorf("said %q; want a failure", said)
		}
	})
	t.Run("RBAC is on", func(t *testing.T) {
		c.mustKubectl("create", "serviceaccount", "nobody")
		if said, err := c.kubectl("auth", "can-i", "list", "secrets", "--as=system:serviceaccount:default:nobody"); err == nil {
			t.Errorf("a new service account may list secrets: %s", said)
		}
	})
	t.Run("service account tokens work", func(t *testing.T) {
		token := c.mustKubectl("create", "token", "nobody")
		if said := c.mustKubectl("auth", "whoami", "--token", token, "--kubeconfig", tokenOnly(t, c)); !strings.Contains(said, "system:serviceaccount:default:nobody") {
			t.Errorf("the token's holder is %s", said)
		}
	})
	t.Run("controllers run", func(*testing.T) {
		c.mustKubectl("create", "namespace", "busy")
		c.mustKubectl("create", "deployment", "web", "--image=example.com/web:1", "--namespace=busy")
		c.mustKubectl("wait", "--for=create", "replicaset", "--selector=app=web", "--namespace=busy", "--timeout=20s")
		c.mustKubectl("delete", "namespace", "busy", "--timeout=30s")
	})
	t.Run("the audit log tells who wrote", func(t *testing.T) {
		if !auditHas(t, filepath.Join(dir, "audit.log"), "drydock-admin", "create", "namespaces", "busy") {
			t.Error("no such event")
		}
	})
	t.Run("all that listens is on loopback", func(t *testing.T) {
		if server := c.status().Server; !strings.HasPrefix(server, "https://127.0.0.1:") {
			t.Errorf("the server is %s", server)
		}
	})
	t.Run("killed, it comes back with its data", func(t *testing.T) {
		c.mustKubectl("create", "configmap", "keep")
		for _, component := range c.status().Components {
			if err := syscall.Kill(component.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, 10*time.Second, func() error { return wantState(c, "broken") })
		c.drydock("up", "--api-only")
		c.mustKubectl("get", "configmap", "keep")
	})
	t.Run("down leaves nothing", func(t *testing.T) {
		c.drydock("down")
		if left := processesOf(t, dir); len(left) > 0 {
			t.Errorf("processes %v", left)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is still there", dir)
		}
	})
}

func wantState(c cluster, want string) error {
	if got := c.status().State; got != want {
		return fmt.Errorf("cluster %s is %s, want %s", c.name, got, want)
	}
	return nil
}

// tokenOnly is a kubeconfig that knows the cluster but nobody.
func tokenOnly(t *testing.T, c cluster) string {
	t.Helper()
	content, err := os.ReadFile(c.status().Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(content)) {
		if !strings.Contains(line, "client-") {
			kept = append(kept, line)
		}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(strings.Join(kept, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func auditHas(t *testing.T, path, user, verb, resource, name string) bool {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Name string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		if event.User.Username == user && event.Verb == verb && event.ObjectRef.Resource == resource && event.ObjectRef.Name == name {
			return true
		}
	}
	return false
}

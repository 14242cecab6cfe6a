// Package cluster gives tests a real API server of their own, started by
// drydock without root: etcd, kube-apiserver and kube-controller-manager on
// free loopback ports. Nothing schedules or runs pods there.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a running API server with an administrator's credentials.
type Cluster struct {
	// Name is what `drydock status --name` knows the cluster by.
	Name string
	// Kubeconfig is the path of an administrator's kubeconfig file.
	Kubeconfig string
	// Config is the client configuration of that file, without client-side rate limits.
	Config *rest.Config

	drydock string
}

var started atomic.Int32

// Start brings up a cluster for one test and takes it down when the test ends.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := Up()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Main runs a package's tests with one cluster shared by all of them and
// returns the exit code for os.Exit. The cluster is stored in *shared first.
func Main(m *testing.M, shared **Cluster) int {
	c, err := Up()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*shared = c
	code := m.Run()
	if err := c.Down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Up starts a cluster that lives until Down.
func Up() (*Cluster, error) {
	drydock, err := binary()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: fmt.Sprintf("test-%d-%d", os.Getpid(), started.Add(1)), drydock: drydock}
	if _, err := c.run("up", "--api-only"); err != nil {
		return nil, errors.Join(err, c.Down())
	}
	if err := c.connect(); err != nil {
		return nil, errors.Join(err, c.Down())
	}
	return c, nil
}

func (c *Cluster) connect() error {
	path, err := c.run("kubeconfig", "--path")
	if err != nil {
		return err
	}
	c.Kubeconfig = strings.TrimSpace(path)
	c.Config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig of test cluster %s: %w", c.Name, err)
	}
	c.Config.QPS = -1
	return nil
}

// ChangeKubernetes starts the cluster again, with its data, with API server and
// controller manager of another version, such as 1.29.15; "" is the one that
// drydock carries.
func (c *Cluster) ChangeKubernetes(version string) error {
	_, err := c.run("up", "--api-only", "--kubernetes="+version)
	return err
}

// Down stops the cluster and deletes what it stored.
func (c *Cluster) Down() error {
	_, err := c.run("down")
	return err
}

// HoldControllers keeps the controllers of Kubernetes from doing anything until
// they are released. drydock allows them ten times the requests that they have on
// clusters of other people, so they can take most of a small machine.
func (c *Cluster) HoldControllers() (release func() error, err error) {
	record, err := os.ReadFile(filepath.Join(filepath.Dir(c.Kubeconfig), "pids", "kube-controller-manager"))
	if err != nil {
		return nil, err
	}
	var pid int
	if _, err := fmt.Sscan(string(record), &pid); err != nil {
		return nil, fmt.Errorf("the PID of the controller manager of %s: %w", c.Name, err)
	}
	return func() error { return syscall.Kill(pid, syscall.SIGCONT) }, syscall.Kill(pid, syscall.SIGSTOP)
}

// Kubectl runs the cluster's own kubectl, and returns all that it prints.
func (c *Cluster) Kubectl(args ...string) (string, error) {
	env, err := c.run("env")
	if err != nil {
		return "", err
	}
	// The words reach kubectl as they are; the shell reads nothing but drydock's lines.
	cmd := exec.CommandContext(context.Background(), "sh", append([]string{"-c", env + `exec kubectl "$@"`, "kubectl"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *Cluster) run(args ...string) (string, error) {
	args = append(args, "--name", c.Name)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(context.Background(), c.drydock, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("drydock %s: %w\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String(), nil
}

// binary returns the drydock to use: $DRYDOCK, or bin/drydock of this
// checkout as `make bin/drydock` leaves it.
func binary() (string, error) {
	if path := os.Getenv("DRYDOCK"); path != "" {
		return path, nil
	}
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", "bin", "drydock")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `make bin/drydock`, or set DRYDOCK to a drydock binary", path)
	}
	return path, nil
}

// Package test runs the real command on this machine.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// command is the drydock that the tests run, built once from this tree.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "drydock-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "drydock")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../cmd/drydock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := command(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// cluster is a cluster of this test. It lives in the usual state directory, so that the programs are built only once.
type cluster struct {
	t    *testing.T
	name string
}

func newCluster(t *testing.T, name string) cluster {
	t.Helper()
	c := cluster{t, fmt.Sprintf("test-%s-%d", name, os.Getpid())}
	t.Cleanup(func() { c.drydock("down") })
	return c
}

// drydock runs a subcommand for the cluster, which must succeed, and returns what it printed on both streams.
func (c cluster) drydock(args ...string) string {
	c.t.Helper()
	output, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("drydock %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

func (c cluster) try(args ...string) (string, error) {
	c.t.Helper()
	path, err := command()
	if err != nil {
		c.t.Fatal(err)
	}
	// Not the test's context: the cluster is taken down after that has ended.
	output, err := exec.CommandContext(context.Background(), path, append(args, "--name", c.name)...).CombinedOutput()
	return string(output), err
}

// kubectl runs the cluster's own kubectl, with the environment that drydock env gives to a shell.
func (c cluster) kubectl(args ...string) (string, error) {
	c.t.Helper()
	shell := append([]string{"-c", c.drydock("env") + `exec kubectl "$@"`, "kubectl"}, args...)
	output, err := exec.CommandContext(c.t.Context(), "sh", shell...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func (c cluster) mustKubectl(args ...string) string {
	c.t.Helper()
	output, err := c.kubectl(args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

type status struct {
	State      string
	Server     string
	Kubeconfig string
	Components []struct {
		Name    string
		Running bool
		PID     int
	}
}

func (c cluster) status() status {
	c.t.Helper()
	output, _ := c.try("status", "-o", "json") // the exit code repeats the state
	var list []status
	if err := json.Unmarshal([]byte(output), &list); err != nil || len(list) != 1 {
		c.t.Fatalf("status: %v\n%s", err, output)
	}
	return list[0]
}

func (c cluster) dir() string { return filepath.Dir(c.status().Kubeconfig) }

// eventually asks until the condition holds, and fails the test with its last complaint after the time.
func eventually(t *testing.T, timeout time.Duration, condition func() error) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if last = condition(); last == nil {
			return
		}
	}
	t.Fatal(last)
}

// processesOf lists running processes that have the text in their command line.
func processesOf(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil && bytes.Contains(content, []byte(text)) {
			found = append(found, string(bytes.ReplaceAll(content, []byte{0}, []byte{' '})))
		}
	}
	return found
}

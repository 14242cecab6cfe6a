//go:build e2e

// Package node takes checkpoints of pods on a real node and restores them into others,
// with the agent in a pod of its own as the chart runs it, and no operator.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

const (
	node   = "chrek"
	team   = "team-a"
	system = "chrek-system"
	worker = "example.test/worker:1"
	other  = "example.test/worker:2"
	python = "example.test/python:1"
	// store is where the agent's checkpoints lie on the node.
	store = "/var/lib/chrek-test"
)

var root = filepath.Join("..", "..", "..")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		defer func() {
			if _, err := command("", "bin/drydock", "down", "--name", node); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			_ = unix.Unmount(store, 0)
			_ = os.RemoveAll(store)
		}()
		if err := up(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func up() error {
	_ = unix.Unmount(store, 0) // of an earlier run
	if err := errors.Join(os.RemoveAll(store), os.Mkdir(store, 0o700)); err != nil {
		return err
	}
	// Of a size, so that it can be full.
	if err := unix.Mount("chrek", store, "tmpfs", 0, "size=4g"); err != nil {
		return fmt.Errorf("mount %s: %w", store, err)
	}
	dir, err := os.MkdirTemp("", "chrek-images-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	references, err := testImages(dir)
	if err != nil {
		return err
	}
	if _, err := command("", "bin/drydock", "up", "--name", node); err != nil {
		return err
	}
	for _, reference := range references {
		if _, err := command("", "bin/drydock", "load", "--name", node, filepath.Join(dir, archiveOf(reference))); err != nil {
			return err
		}
	}
	if err := useNode(); err != nil {
		return err
	}
	manifest, err := os.ReadFile("testdata/agent.yaml")
	if err != nil {
		return err
	}
	if sysResource() {
		manifest = bytes.Replace(manifest, []byte("SYS_TIME]"), []byte("SYS_TIME, SYS_RESOURCE]"), 1)
	}
	if _, err := command(string(manifest), "kubectl", "apply", "-f", "-"); err != nil {
		return err
	}
	if _, err := command("", "kubectl", "-n", system, "rollout", "status", "daemonset/agent", "--timeout=120s"); err != nil {
		logs, _ := command("", "kubectl", "-n", system, "describe", "pods")
		return fmt.Errorf("%w\n%s", err, logs)
	}
	return nil
}

// useNode lets kubectl, which comes with the node, ask it.
func useNode() error {
	path, err := command("", "bin/drydock", "kubeconfig", "--path", "--name", node)
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
	return os.Setenv("KUBECONFIG", strings.TrimSpace(path))
}

// command runs a command line in the checkout; the error carries all it printed.
func command(stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String(), nil
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command("", "kubectl", append([]string{"-n", team}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply makes an object; a pod of a test ends with it.
func apply(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	applyObject(t, pod)
	t.Cleanup(func() {
		if t.Failed() {
			describe(t, pod.Name)
		}
		run(t, "delete", "pod", pod.Name, "--ignore-not-found", "--grace-period=1", "--wait")
	})
}

// describe shows what is known of a pod whose test has failed.
func describe(t *testing.T, pod string) {
	for _, args := range [][]string{
		{"-n", team, "describe", "pod", pod}, {"-n", team, "logs", pod, "--tail=20"}, {"-n", system, "logs", "daemonset/agent", "--tail=40"},
	} {
		out, err := command("", "kubectl", args...)
		t.Log(strings.Join(args, " "), "\n", out, err)
	}
}

func get(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := json.Unmarshal([]byte(run(t, "get", "pod", name, "-o", "json")), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// await asks until something is so; the test's own deadline ends it.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

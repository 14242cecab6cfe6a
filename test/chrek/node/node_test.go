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
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/images"
)

const (
	node   = "chrek"
	team   = "team-a"
	system = "chrek-system"
	worker = "example.test/worker:1"
	other  = "example.test/worker:2"
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
	if err := workerImages(dir); err != nil {
		return err
	}
	if _, err := command("", "go", "run", "./images/build", "--out", dir, "chrek-agent"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"up", "--name", node},
		{"load", "--name", node, filepath.Join(dir, "chrek-agent.tar")},
		{"load", "--name", node, filepath.Join(dir, "worker-1.tar"), "--as", worker},
		{"load", "--name", node, filepath.Join(dir, "worker-2.tar"), "--as", other},
	} {
		if _, err := command("", "bin/drydock", args...); err != nil {
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

// workerImages are two images with the same program.
func workerImages(dir string) error {
	for _, version := range []string{"1", "2"} {
		image := images.Image{
			Name: "worker", Title: "A worker of tests", Package: "test/chrek/worker", Binary: "/worker",
			Files:      map[string]string{"/etc/of-the-image": "of the image\n", "/etc/version": version},
			Dirs:       []images.Dir{{Path: "/tmp", Mode: os.ModeSticky | 0o777}, {Path: "/state", Mode: 0o755}},
			Entrypoint: []string{"/worker"}, WorkingDir: "/",
		}
		built, err := images.Build(context.Background(), image, runtime.GOARCH)
		if err != nil {
			return err
		}
		file, err := os.Create(filepath.Join(dir, "worker-"+version+".tar"))
		if err != nil {
			return err
		}
		if err := images.WriteArchive(file, built, "example.test/worker:"+version); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
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

//go:build e2e

// Package e2e runs the product on a real one-node Kubernetes, as its users do:
// with the command-line tools, in the order of the README.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	node    = "e2e"
	runtime = "nvcr.io/nvidia/ai-dynamo/vllm-runtime:demo"
	picker  = "nvcr.io/nvidia/ai-dynamo/frontend:demo"
	sglang  = "nvcr.io/nvidia/ai-dynamo/sglang-runtime:demo"
	trtllm  = "nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:demo"
)

// root is the checkout; all commands run there.
var root = filepath.Join("..", "..")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := nodeUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := m.Run()
		if _, err := command("drydock", "down", "--name", node); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}())
}

func nodeUp() error {
	for _, args := range [][]string{
		{"drydock", "up", "--name", node, "--gpus", "8"},
		{"drydock", "load", "--name", node, "dist/images/dynamo-operator.tar"},
		{"drydock", "load", "--name", node, "dist/images/dynamo-conversion.tar"},
		{"drydock", "load", "--name", node, "dist/images/chrek-agent.tar"},
		{"drydock", "load", "--name", node, "dist/fixtures/fixture-nats.tar"},
		{"drydock", "load", "--name", node, "dist/fixtures/fixture-lws.tar", "--as", "registry.k8s.io/lws/lws:v0.6.1"},
		{"drydock", "load", "--name", node, "dist/fixtures/fixture-epp.tar", "--as", picker},
		{"drydock", "load", "--name", node, "dist/images/standin-runtime.tar", "--as", runtime, "--as", sglang},
		{"drydock", "load", "--name", node, "dist/fixtures/fixture-trtllm.tar", "--as", trtllm},
	} {
		if _, err := command(args...); err != nil {
			return err
		}
	}
	path, err := command("drydock", "kubeconfig", "--path", "--name", node)
	if err != nil {
		return err
	}
	env, err := command("drydock", "env", "--name", node)
	if err != nil {
		return err
	}
	for line := range strings.Lines(env) {
		// kubectl comes with the node.
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export PATH="); ok {
			first, _, _ := strings.Cut(strings.Trim(value, `"'`), ":")
			if err := os.Setenv("PATH", first+":"+os.Getenv("PATH")); err != nil {
				return err
			}
		}
	}
	// What kubectl remembers of a cluster goes with it: the next one has its address.
	cache := filepath.Join(stateDir(), "clusters", node, "kubectl")
	return errors.Join(os.Setenv("KUBECONFIG", strings.TrimSpace(path)), os.Setenv("KUBECACHEDIR", cache))
}

// exitError is a command that ran and failed.
type exitError struct {
	args   []string
	code   int
	output string
}

func (e *exitError) Error() string {
	return fmt.Sprintf("%s: exit code %d\n%s", strings.Join(e.args, " "), e.code, e.output)
}

// command runs a command line in the checkout and returns its standard output;
// the error of a failure carries everything it printed.
func command(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = root
	var stdout bytes.Buffer
	all := &sharedBuffer{}
	cmd.Stdout = io.MultiWriter(&stdout, all)
	cmd.Stderr = all
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return stdout.String(), &exitError{args: args, code: exit.ExitCode(), output: all.String()}
	}
	return stdout.String(), err
}

// sharedBuffer takes both streams of a command.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sharedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sharedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// run is command for a test that expects success.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fails runs a command that must end with exit code 1 and returns all it printed.
func fails(t *testing.T, args ...string) string {
	t.Helper()
	_, err := command(args...)
	var exit *exitError
	if !errors.As(err, &exit) {
		t.Fatalf("%s: want a failure, got %v", strings.Join(args, " "), err)
	}
	if exit.code != 1 {
		t.Errorf("%s: exit code %d, want 1", strings.Join(args, " "), exit.code)
	}
	return exit.output
}

// eventually retries until the check passes or the time is over.
func eventually(t *testing.T, timeout time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", timeout, err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

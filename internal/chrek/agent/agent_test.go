package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/seccomp"
)

// place is a node's folders, with a kubelet that listens.
func place(t *testing.T) *config.AgentConfiguration {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Node.KubeletSocket = filepath.Join(dir, "kubelet.sock")
	cfg.Seccomp.Directory = filepath.Join(dir, "seccomp")
	cfg.Checkpoint.BasePath = filepath.Join(dir, "checkpoints")
	if err := os.Mkdir(cfg.Checkpoint.BasePath, 0o755); err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	kubelet, err := listen.Listen(t.Context(), "unix", cfg.Node.KubeletSocket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kubelet.Close() })
	t.Setenv("PATH", dir) // no CRIU
	return cfg
}

type agent struct {
	url  string
	log  *bytes.Buffer // to be read after stop
	stop func() error
}

func start(t *testing.T, cfg *config.AgentConfiguration) agent {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a := agent{url: "http://" + listener.Addr().String(), log: &bytes.Buffer{}}
	done := make(chan error, 1)
	go func() { done <- run(ctx, cfg, slog.New(slog.NewJSONHandler(a.log, nil)), listener) }()
	a.stop = func() error {
		cancel()
		return <-done
	}
	t.Cleanup(cancel)
	return a
}

func (a agent) get(t *testing.T, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// looked waits for the end of the first look at the node.
func (a agent) looked(t *testing.T) (int, string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if status, body := a.get(t, "/readyz"); !strings.Contains(body, "has not ended") {
			return status, body
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the first look did not end")
	return 0, ""
}

// TestMetricsAreServedOnRequest: they have the results of the node's checks, too.
func TestMetricsAreServedOnRequest(t *testing.T) {
	cfg := place(t)
	cfg.Agent.Metrics = true
	a := start(t, cfg)
	a.looked(t)
	if status, body := a.get(t, "/metrics"); status != http.StatusOK || !strings.Contains(body, `chrek_agent_preflight_passed{check="storage",required="true"} 1`) {
		t.Errorf("/metrics: %d\n%s", status, body)
	}
}

func TestTheAgentIsReadyForWhatItDoesAndSaysWhatItLacks(t *testing.T) {
	cfg := place(t)
	a := start(t, cfg)
	status, body := a.looked(t)
	if status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, body := a.get(t, "/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	if status, _ := a.get(t, "/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics: %d, to anybody who asks, though nobody has wanted that", status)
	}
	if err := seccomp.Verify(cfg.Seccomp.Directory); err != nil {
		t.Error(err)
	}

	if err := a.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(a.log.String()) {
		var entry struct{ Level, Check, Fix string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		said[entry.Check] = entry.Level
		if entry.Check == "criu" && entry.Fix == "" {
			t.Errorf("no advice in %s", line)
		}
	}
	if said["criu"] != "WARN" || said["storage"] != "INFO" {
		t.Errorf("logged %v", said)
	}
}

func TestTheAgentIsNotReadyWithoutItsStorage(t *testing.T) {
	cfg := place(t)
	if err := os.Remove(cfg.Checkpoint.BasePath); err != nil {
		t.Fatal(err)
	}
	a := start(t, cfg)
	status, body := a.looked(t)
	if status != http.StatusServiceUnavailable || body != "failed: storage\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, _ := a.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d; a restart would not help", status)
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}

func TestTheReasonWhyTheProfileIsMissingIsKept(t *testing.T) {
	cfg := place(t)
	if err := os.WriteFile(cfg.Seccomp.Directory, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range look(t.Context(), cfg, &preflight.Gatherer{}) {
		if r.Check == "seccomp" && (r.Passed || !strings.Contains(r.Says, "install the seccomp profile")) {
			t.Errorf("got %+v", r)
		}
	}
}

func TestOnlyNewsIsLogged(t *testing.T) {
	var log bytes.Buffer
	f := &findings{log: slog.New(slog.NewTextHandler(&log, nil))}
	good := []preflight.Result{{Check: "storage", Passed: true, Says: "fine"}}
	bad := []preflight.Result{{Check: "storage", Says: "broken", Fix: "repair it"}}
	for _, step := range []struct {
		results []preflight.Result
		lines   int
	}{{good, 1}, {good, 1}, {bad, 2}, {bad, 2}, {good, 3}} {
		f.publish(step.results)
		if got := strings.Count(log.String(), "\n"); got != step.lines {
			t.Errorf("%d lines after %v, want %d:\n%s", got, step.results, step.lines, log.String())
		}
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cfg := config.Default()
	cfg.Agent.ListenAddr = fmt.Sprint(taken.Addr())
	if err := Run(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "agent.listenAddr") {
		t.Errorf("got %v", err)
	}
}

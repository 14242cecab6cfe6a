// Package agent is the checkpoint agent's process on a node. It keeps the
// seccomp profile in the kubelet's folder, finds out whether the node can
// checkpoint and restore pods, and says so in its log and its readiness. And it
// serves the pods of one namespace, where its configuration names one.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/preflight"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/seccomp"
)

const (
	// every is how long the results of one look at the node stand.
	every = time.Minute
	// farewell is how long requests in flight may take at the end.
	farewell = 5 * time.Second
)

// Run works until the context ends, which is no error. It fails at once if its
// address cannot be listened on.
func Run(ctx context.Context, cfg *config.AgentConfiguration, log *slog.Logger) error {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", cfg.Agent.ListenAddr)
	if err != nil {
		return fmt.Errorf("agent.listenAddr: %w", err)
	}
	log.Info("the agent has started", "address", listener.Addr().String())
	if cfg.Agent.TargetNamespace == "" {
		return run(ctx, cfg, log, listener)
	}
	for _, option := range cfg.Checkpoint.CRIU.Ignored() {
		log.Warn(option)
	}
	watcher, err := newWatcher(cfg, log, "")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	served := make(chan error, 1)
	go func() { served <- watcher.Run(ctx) }()
	return errors.Join(run(ctx, cfg, log, listener), <-served)
}

func run(ctx context.Context, cfg *config.AgentConfiguration, log *slog.Logger, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	findings := &findings{log: log}
	server := &http.Server{Handler: handler(findings, cfg.Agent.Metrics), ReadHeaderTimeout: farewell}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener)
		cancel()
	}()

	keepLooking(ctx, cfg, findings)

	log.Info("the agent is stopping")
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer done()
	stopped := server.Shutdown(closing)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return stopped
}

// keepLooking looks at the node again and again until the context ends.
func keepLooking(ctx context.Context, cfg *config.AgentConfiguration, findings *findings) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var gatherer preflight.Gatherer
	for {
		results := look(ctx, cfg, &gatherer)
		if ctx.Err() != nil {
			return // what was interrupted is no finding
		}
		findings.publish(results)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look puts the profile in place first, so that the checks see it.
func look(ctx context.Context, cfg *config.AgentConfiguration, gatherer *preflight.Gatherer) []preflight.Result {
	var installed error
	if cfg.Seccomp.Deploy {
		installed = seccomp.Install(cfg.Seccomp.Directory)
	}
	facts := gatherer.Gather(ctx, cfg)
	if installed != nil {
		facts.Seccomp = installed
	}
	return preflight.Run(facts, cfg)
}

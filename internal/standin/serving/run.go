package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

const (
	headerTimeout = 10 * time.Second
	leaveTimeout  = 3 * time.Second // for the worker's last write to the API server
	drainTimeout  = 5 * time.Second // for requests being answered
	joinRetry     = 2 * time.Second
)

// Run does what the configuration says until ctx ends. It returns nil on an
// orderly end.
func Run(ctx context.Context, c Config, getenv func(string) string, log *slog.Logger) error {
	if len(c.Ignored) > 0 {
		log.Info("flags accepted without effect", "flags", c.Ignored)
	}
	if c.Checkpoint.SignalFile == "" {
		closeNATS, err := connectNATS(c, log)
		if err != nil {
			return err
		}
		defer closeNATS()
	}
	switch c.Role {
	case RoleFrontend:
		return runFrontend(ctx, c, getenv, log)
	case RoleWorker:
		return runWorker(ctx, c, getenv, log)
	case RolePlanner:
		return runPlanner(ctx, c, getenv, log)
	}
	log.Info("this component type has nothing to do in the stand-in; waiting for the end")
	<-ctx.Done()
	return nil
}

func runFrontend(ctx context.Context, c Config, getenv func(string) string, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	var directory Directory
	watcher, err := newWatcher(c, getenv, log)
	if err != nil {
		log.Error("the frontend finds no workers and stays unready", "error", err)
		directory = outage{err}
	} else {
		directory = watcher
		group.Go(func() error { watcher.Run(ctx); return nil })
	}
	group.Go(func() error {
		return serve(ctx, log, "http", listenAddress(c.HTTPPort), NewFrontend(c.RouterMode, directory).Handler())
	})
	return group.Wait()
}

func newWatcher(c Config, getenv func(string) string, log *slog.Logger) (*discovery.Watcher, error) {
	config, identity, err := inCluster(c, getenv)
	if err != nil {
		return nil, err
	}
	return discovery.NewWatcher(config, identity.Namespace, c.Scope, log)
}

func runWorker(ctx context.Context, c Config, getenv func(string) string, log *slog.Logger) error {
	if c.Group.follows() {
		return follow(ctx, c.Group, log)
	}
	registry, pod := newRegistry(c, getenv)
	worker := NewWorker(c, pod, registry)
	listener, err := listen(ctx, listenAddress(c.RPCPort))
	if err != nil {
		return err
	}
	// The servers outlive ctx: a worker first leaves, then stops to answer.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group, serving := errgroup.WithContext(serving)
	group.Go(func() error { return serveOn(serving, listener, worker.RPCHandler()) })
	if c.SystemPort >= 0 {
		group.Go(func() error {
			return serve(serving, log, "system", listenAddress(c.SystemPort), worker.SystemHandler())
		})
	}
	if c.Group.leads() && !c.Group.Ray {
		group.Go(func() error { return worker.meeting.local.Serve(serving, ":"+port(c.Group.Address)) })
	}
	group.Go(func() error {
		defer stopServing()
		life, cancel := mergeDone(ctx, serving)
		defer cancel()
		return live(life, c, worker, listener.Addr().(*net.TCPAddr).Port, getenv, log)
	})
	return group.Wait()
}

func port(address string) string {
	return address[strings.LastIndex(address, ":")+1:]
}

// live takes a worker from loading to its end.
func live(ctx context.Context, c Config, worker *Worker, port int, getenv func(string) string, log *slog.Logger) error {
	worker.meeting.form(ctx, log)
	if err := worker.Load(ctx); err != nil {
		return err
	}
	if goesOn, err := checkpointed(ctx, c, worker, getenv, log); err != nil || !goesOn {
		return err
	}
	if c.Checkpoint.SignalFile != "" {
		// What is connected before is not in the checkpoint.
		closeNATS, err := connectNATS(c, log)
		if err != nil {
			return err
		}
		defer closeNATS()
	}
	join(ctx, worker, port, log)
	<-ctx.Done()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := worker.Leave(leaving); err != nil {
		log.Warn("the worker's metadata stay until its pod is deleted", "error", err)
	}
	log.Info("worker left")
	return nil
}

// join tries until it succeeds: the API server may be away for a while, and a
// worker that ends would only lose its model.
func join(ctx context.Context, worker *Worker, port int, log *slog.Logger) {
	last := ""
	for {
		err := worker.Join(ctx, port)
		if err == nil {
			log.Info("worker ready", "model", worker.config.Model, "port", port)
			return
		}
		if ctx.Err() == nil && err.Error() != last {
			log.Error("the worker cannot register and stays unready, will try again", "error", err)
			last = err.Error()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(joinRetry):
		}
	}
}

func newRegistry(c Config, getenv func(string) string) (Registry, string) {
	config, identity, err := inCluster(c, getenv)
	if err == nil {
		var registry *discovery.Registry
		if registry, err = discovery.NewRegistry(config, identity); err == nil {
			return registry, identity.Pod
		}
	}
	return outage{err}, identity.Pod
}

// inCluster finds the API server and this pod, or says why it cannot.
func inCluster(c Config, getenv func(string) string) (*rest.Config, discovery.Identity, error) {
	identity, err := discovery.ReadIdentity(discovery.PodInfoDir, getenv)
	if c.Discovery != "kubernetes" {
		return nil, identity, fmt.Errorf("the stand-in runtime supports only Kubernetes discovery: DYN_DISCOVERY_BACKEND is %q, not \"kubernetes\"", c.Discovery)
	}
	if err != nil {
		return nil, identity, err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, identity, fmt.Errorf("find the API server from inside the pod: %w", err)
	}
	config.UserAgent = "wheelhouse-standin"
	return config, identity, nil
}

// outage stands in for discovery that cannot work, with the reason.
type outage struct{ reason error }

func (o outage) View() *discovery.View                          { return &discovery.View{} }
func (o outage) Ready() error                                   { return o.reason }
func (o outage) Register(context.Context, discovery.Data) error { return o.reason }
func (o outage) Unregister(context.Context) error               { return nil }

func serve(ctx context.Context, log *slog.Logger, name, address string, handler http.Handler) error {
	listener, err := listen(ctx, address)
	if err != nil {
		return err
	}
	log.Info("listening", "server", name, "address", listener.Addr().String())
	return serveOn(ctx, listener, handler)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve: %w", err)
	}
	return listener, nil
}

// serveOn serves until ctx ends, then lets running requests finish.
func serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		stopped <- server.Shutdown(draining)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return <-stopped
}

// mergeDone ends when either context does.
func mergeDone(ctx, other context.Context) (context.Context, context.CancelFunc) {
	merged, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(other, cancel)
	return merged, func() { stop(); cancel() }
}

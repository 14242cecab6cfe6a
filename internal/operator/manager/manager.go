// Package manager puts the operator together: what it caches, which
// controllers it runs, and under which rights.
package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// Leader election renews less often than is usual: with an operator per
// namespace, renewals are the only writes of an idle platform. A leader that
// ends in order hands over at once; after a crash another takes over within
// leaseDuration.
const (
	leaseDuration = 30 * time.Second
	renewDeadline = 20 * time.Second
	retryPeriod   = 5 * time.Second
)

// Run is the operator: it returns when ctx ends, when leadership or the claim
// to the namespace is lost, or when it cannot start. What stays for all its life
// is here: the election, the webhooks, the metrics. The controllers are made
// anew when the cluster gains or loses an API that they use.
func Run(ctx context.Context, cfg *config.OperatorConfiguration, restConfig *rest.Config, logger logr.Logger) error {
	restConfig = unlimited(restConfig)
	cluster, err := newCapabilities(restConfig, cfg, logger)
	if err != nil {
		return err
	}
	certificate := &sharedCertificate{}
	mgr, err := ctrl.NewManager(restConfig, options(cfg, certificate, logger))
	if err != nil {
		return fmt.Errorf("start the operator: %w", err)
	}
	if err := addHealthChecks(mgr); err != nil {
		return err
	}
	served, err := addScope(mgr, cfg)
	if err != nil {
		return err
	}
	if err := errors.Join(mgr.Add(cluster), mgr.Add(&controllers{restConfig: restConfig, config: cfg, cluster: cluster, scope: served, logger: logger})); err != nil {
		return fmt.Errorf("add the controllers: %w", err)
	}
	if err := addQueues(mgr, cfg, logger); err != nil {
		return err
	}
	if cfg.Server.Webhook.Enabled() {
		if err := addWebhooks(ctx, mgr, cfg, served(mgr.GetClient()), cluster.now, certificate); err != nil {
			return fmt.Errorf("set up the admission webhooks: %w", err)
		}
	}
	logger.Info("starting", "version", version.Version, "namespace", cfg.Namespace.Restricted, "clusterWide", cfg.ClusterWide())
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("the operator stopped: %w", err)
	}
	return nil
}

// unlimited lets the API server decide how much it takes at a time, by priority
// and fairness. The client's own default is 20 requests a second.
func unlimited(restConfig *rest.Config) *rest.Config {
	restConfig = rest.CopyConfig(restConfig)
	restConfig.QPS = -1
	return restConfig
}

func options(cfg *config.OperatorConfiguration, certificate *sharedCertificate, logger logr.Logger) ctrl.Options {
	return ctrl.Options{
		Scheme:                        Scheme(),
		Logger:                        logger,
		Cache:                         cacheOptions(cfg),
		Metrics:                       metricsOptions(cfg.Server, certificate),
		HealthProbeBindAddress:        cfg.Server.HealthProbe.BindAddress,
		PprofBindAddress:              cfg.Server.Profile.BindAddress,
		LeaderElection:                cfg.LeaderElection.Enabled,
		LeaderElectionID:              cfg.LeaderElection.ID,
		LeaderElectionNamespace:       cfg.LeaderElection.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		RetryPeriod:                   ptr.To(retryPeriod),
	}
}

// metricsOptions: callers are authenticated and authorized by the API server,
// in this process; there is no proxy beside it. They can verify who answers if
// webhooks are served, whose certificate is known to others.
func metricsOptions(server config.Server, certificate *sharedCertificate) metricsserver.Options {
	options := metricsserver.Options{BindAddress: server.Metrics.BindAddress}
	if server.Metrics.Secure && server.Metrics.BindAddress != config.Off {
		options.SecureServing = true
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		if server.Webhook.Enabled() {
			options.TLSOpts = append(options.TLSOpts, func(tls *tls.Config) { tls.GetCertificate = certificate.get })
		}
	}
	return options
}

func addHealthChecks(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the liveness check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	return nil
}

// scopeOf is the scope of who reads through a client: controllers are woken up
// by the same cache that tells them whom a namespace belongs to.
type scopeOf func(client.Reader) scope.Scope

func addScope(mgr ctrl.Manager, cfg *config.OperatorConfiguration) (scopeOf, error) {
	if cfg.ClusterWide() {
		return func(markers client.Reader) scope.Scope {
			return scope.ClusterWide{Markers: markers, Leases: lease.NewObserver(lease.Awake)}
		}, nil
	}
	direct, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client for the marker Lease: %w", err)
	}
	claim := &scope.Claim{
		Client:    direct,
		Namespace: cfg.Namespace.Restricted,
		Version:   version.Version,
		Duration:  cfg.Namespace.Scope.LeaseDuration.Duration,
		Interval:  cfg.Namespace.Scope.LeaseRenewInterval.Duration,
	}
	if err := mgr.Add(claim); err != nil {
		return nil, fmt.Errorf("add the claim to namespace %s: %w", claim.Namespace, err)
	}
	return func(client.Reader) scope.Scope { return claim }, nil
}

// addQueues makes the default queues of the KAI scheduler, where it is used.
func addQueues(mgr ctrl.Manager, cfg *config.OperatorConfiguration, logger logr.Logger) error {
	switch {
	case cfg.CreatesQueues():
		if err := mgr.Add(&queues.Creator{Client: mgr.GetClient(), Live: mgr.GetAPIReader()}); err != nil {
			return fmt.Errorf("add the creation of queues: %w", err)
		}
	case cfg.Orchestrators.KAIScheduler.Enabled:
		logger.Info("the default queues of the KAI scheduler are not created, because the configuration does not say so (orchestrators.kaiScheduler.createQueues): see that they exist",
			"queues", queues.Names())
	}
	return nil
}

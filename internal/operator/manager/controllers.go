package manager

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// controllers look after all kinds, with a cache of their own. A watch on an
// API that comes or goes cannot be put right under running controllers, so they
// are stopped and made anew: they then see every object again.
type controllers struct {
	restConfig *rest.Config
	config     *config.OperatorConfiguration
	cluster    *capabilities
	scope      scopeOf
	logger     logr.Logger
}

// Start implements manager.Runnable; it runs in the leader alone.
func (c *controllers) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.runUntilChanged(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *controllers) runUntilChanged(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cluster := c.cluster.now()
	go func() {
		defer stop()
		for c.cluster.now() == cluster {
			select {
			case <-ctx.Done():
				return
			case <-c.cluster.changed:
			}
		}
	}()
	return c.run(ctx, cluster)
}

func (c *controllers) run(ctx context.Context, cluster render.Capabilities) error {
	mgr, err := ctrl.NewManager(c.restConfig, ctrl.Options{
		Scheme: Scheme(),
		Logger: c.logger,
		Cache:  kindsCache(c.config, cluster),
		// A cache of ConfigMaps would need the right to watch all of them.
		Client:                 client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}}}},
		Metrics:                metricsserver.Options{BindAddress: config.Off},
		HealthProbeBindAddress: config.Off,
	})
	if err != nil {
		return fmt.Errorf("make the controllers: %w", err)
	}
	operator := &lifecycle.Operator{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Scope: c.scope(mgr.GetClient()), Config: c.config, Cluster: cluster,
	}
	if err := lifecycle.Setup(mgr, operator, kinds.All()); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

package manager

import (
	"context"
	"log/slog"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/release"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Ways judges the ways from what is installed to what the fleet wants, without any
// write.
func (m *Manager) Ways(ctx context.Context) (*rollout.Ways, error) {
	return rollout.WaysTo(ctx, m.desired, m.store)
}

// WaysToCharts judges the ways to some charts from all releases of them that a
// cluster has, whoever installed them.
func WaysToCharts(ctx context.Context, kube *genericclioptions.ConfigFlags, charts map[string]*chart.Chart, log slog.Handler) (*rollout.Ways, error) {
	c, err := cluster.Connect(ctx, kube)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	store := release.NewStore(c.Session, c, log)
	return rollout.WaysToCharts(ctx, charts, store)
}

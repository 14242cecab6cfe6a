// Package cluster brings clusters up, takes them down and says how they are.
package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/apiclient"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/pki"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Manager acts on the clusters of one state directory.
type Manager struct {
	State   state.Dir
	Sources fs.FS
	Report  *progress.Printer
}

// Options are what a person asks for with up.
type Options struct {
	Name    string
	APIOnly bool
	GPUs    int
	// Kubernetes is another version of the control plane, such as 1.29.15; empty for the one that drydock carries.
	Kubernetes string
}

// lock serialises all changes to one cluster.
func (m *Manager) lock(name string) (release func(), err error) {
	return state.Acquire(m.State.Cluster(name).Lock(), func() {
		m.Report.Step("waiting for another drydock that works on cluster %s", name)
	})
}

func params(cluster state.Cluster, record state.Record) config.Params {
	p := config.Params{
		Name: cluster.Name, Dir: cluster.Dir, APIOnly: record.APIOnly, GPUs: record.GPUs,
		Block:   network.Block(record.Block),
		APIPort: config.NodeAPIPort, EtcdPort: config.NodeEtcdPort,
	}
	if record.APIOnly {
		p.APIPort, p.EtcdPort = record.Ports["api"], record.Ports["etcd"]
	}
	return p
}

// adminClient acts as the cluster's administrator.
func adminClient(p config.Params) (*apiclient.Client, error) {
	dir := filepath.Join(p.Dir, "pki")
	admin, err := pki.ReadPair(dir, "admin")
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, err
	}
	return apiclient.New(p.Server(), authority, admin)
}

// Existing returns a cluster's files and record, or an error that says how to make it.
func (m *Manager) Existing(name string) (state.Cluster, state.Record, error) {
	cluster := m.State.Cluster(name)
	if !cluster.Exists() {
		return cluster, state.Record{}, fmt.Errorf("there is no cluster %q under %s; make it with: drydock up --name %s", name, m.State, name)
	}
	record, err := cluster.Load()
	return cluster, record, err
}

func poll(ctx context.Context, interval time.Duration, done func() bool) bool {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

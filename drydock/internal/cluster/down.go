package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/node"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/process"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// stopGrace is how long a component may take to end by itself. Nothing it could still save outlives it.
const stopGrace = 2 * time.Second

// Down removes the cluster and its data. The programs stay for the next one.
func (m *Manager) Down(name string) error {
	if err := state.CheckName(name); err != nil {
		return err
	}
	release, err := m.lock(name)
	if err != nil {
		return explain(err, m.State)
	}
	defer release()
	cluster := m.State.Cluster(name)
	if _, err := os.Stat(cluster.Dir); errors.Is(err, os.ErrNotExist) {
		m.Report.Step("there is no cluster %s; nothing to do", name)
		return nil
	}
	if err := m.remove(cluster); err != nil {
		return explain(err, m.State)
	}
	m.Report.Step("cluster %s is gone", name)
	return nil
}

func (m *Manager) remove(cluster state.Cluster) error {
	record, err := cluster.Load()
	if err != nil {
		record = state.Record{Name: cluster.Name} // damaged or never finished: assume the most there can be
	}
	if err := m.halt(cluster, record); err != nil {
		return err
	}
	if err := os.RemoveAll(cluster.Dir); err != nil {
		return fmt.Errorf("removing the cluster's files: %w", err)
	}
	return nil
}

// Purge takes every cluster down and removes the state directory with the programs in it.
func (m *Manager) Purge() error {
	clusters, err := m.State.Clusters()
	if err != nil {
		return err
	}
	for _, cluster := range clusters {
		if err := m.Down(cluster.Name); err != nil {
			return err
		}
	}
	if err := m.State.Purge(); err != nil {
		return explain(err, m.State)
	}
	m.Report.Step("programs and packages in %s are gone", m.State)
	return nil
}

// halt stops every process of the cluster and removes what the kernel holds for it; files stay.
func (m *Manager) halt(cluster state.Cluster, record state.Record) error {
	names := config.Names(params(cluster, record))
	if record.APIOnly {
		return stopComponents(cluster, names)
	}
	// All at once and by force: one that outlived another would start the pods again, or wait for it.
	if err := node.Remove(cluster.ID()); err != nil {
		return err
	}
	if record.Block != 0 {
		if err := network.Disconnect(network.Block(record.Block)); err != nil {
			return err
		}
	}
	if err := stopComponents(cluster, names); err != nil {
		return err
	}
	return m.removeMountPoints()
}

// stopComponents stops the servers that write to the API server first, then it, and last etcd.
func stopComponents(cluster state.Cluster, names []string) error {
	clients := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "etcd" || name == "kube-apiserver" })
	for _, group := range [][]string{clients, {"kube-apiserver"}, {"etcd"}} {
		if err := stopGroup(cluster, group); err != nil {
			return err
		}
	}
	return nil
}

func stopGroup(cluster state.Cluster, names []string) error {
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { errs[i] = process.Stop(cluster.PIDFile(name), stopGrace) })
	}
	group.Wait()
	return errors.Join(errs...)
}

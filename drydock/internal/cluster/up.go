package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/build"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Up makes the cluster run: creates it, or starts it again with its data after a crash. On a running one it does nothing and says so.
func (m *Manager) Up(ctx context.Context, options Options) error {
	if err := m.checkOptions(options); err != nil {
		return err
	}
	release, err := m.lock(options.Name)
	if err != nil {
		return explain(err, m.State)
	}
	defer release()
	cluster := m.State.Cluster(options.Name)
	record, err := m.findOrDraft(cluster, options)
	if err != nil {
		return err
	}
	if record.Ready && m.allRunning(cluster, record) {
		m.Report.Step("cluster %s is already up; nothing to do", cluster.Name)
		return nil
	}
	if err := m.begin(ctx, cluster, record); err != nil {
		return explain(err, m.State)
	}
	m.Report.Step("cluster %s is up; use it with: eval \"$(drydock env%s)\"", cluster.Name, flags(cluster))
	return nil
}

// flags are what another command needs to find a cluster: none for the one that
// it finds by itself.
func flags(c state.Cluster) (text string) {
	in := state.Dir(filepath.Dir(filepath.Dir(c.Dir)))
	if usual, err := state.DefaultDir(); err != nil || usual != in {
		text = " --state " + string(in)
	}
	if c.Name != DefaultName {
		text += " --name " + c.Name
	}
	return text
}

// spaceNeeded is what a cluster takes before it has any images.
const spaceNeeded = 512 << 20

// DefaultName is the name of a cluster that was given none.
const DefaultName = "default"

func (m *Manager) checkOptions(options Options) error {
	if err := state.CheckName(options.Name); err != nil {
		return err
	}
	if options.GPUs < 0 {
		return errors.New("--gpus cannot be negative")
	}
	if options.APIOnly && options.GPUs > 0 {
		return errors.New("--gpus needs a node, and --api-only makes none; use one of them")
	}
	if options.Kubernetes != "" {
		if !options.APIOnly {
			return errors.New("--kubernetes (or DRYDOCK_KUBERNETES) is for --api-only: a node's other components are of the version that drydock carries")
		}
		if err := build.CheckVersion(options.Kubernetes); err != nil {
			return err
		}
	}
	if !options.APIOnly && os.Geteuid() != 0 {
		return errors.New("a full node needs root for its network, mounts and cgroups; run this as root (sudo drydock up), or use --api-only, which needs no rights")
	}
	return nil
}

// findOrDraft returns the record of the cluster as it is, or of the one to create.
func (m *Manager) findOrDraft(cluster state.Cluster, options Options) (state.Record, error) {
	if !cluster.Exists() {
		return state.Record{Name: options.Name, APIOnly: options.APIOnly, GPUs: options.GPUs, Kubernetes: options.Kubernetes, Created: time.Now().UTC().Truncate(time.Second)}, nil
	}
	record, err := cluster.Load()
	if err != nil {
		return record, err
	}
	if record.APIOnly != options.APIOnly || record.GPUs != options.GPUs {
		return record, fmt.Errorf("cluster %s exists with other options (%s); take it down first: drydock down%s", cluster.Name, describe(record), flags(cluster))
	}
	if record.Kubernetes != options.Kubernetes {
		m.Report.Step("cluster %s gets another version of Kubernetes", cluster.Name)
		record.Kubernetes, record.Ready = options.Kubernetes, false
	}
	return record, nil
}

func describe(record state.Record) string {
	if record.APIOnly {
		return "--api-only"
	}
	return fmt.Sprintf("a full node, --gpus %d", record.GPUs)
}

func (m *Manager) begin(ctx context.Context, cluster state.Cluster, record state.Record) error {
	if cluster.Exists() {
		m.Report.Step("cluster %s does not run as it should; starting it again with its data", cluster.Name)
		if err := m.halt(cluster, record); err != nil {
			return err
		}
	}
	err := state.RequireSpace(string(m.State), spaceNeeded, "a cluster")
	if err != nil {
		return err
	}
	if record.Programs, err = build.Ensure(ctx, m.State.Bin(), m.Sources, m.Report); err != nil {
		return err
	}
	if record.Kubernetes != "" {
		if record.Programs, err = build.WithKubernetes(ctx, record.Programs, record.Kubernetes, m.Report); err != nil {
			return err
		}
	}
	record.Ready = false
	if record, err = m.reserve(cluster, record); err != nil {
		return err
	}
	if err := writeFiles(cluster, params(cluster, record)); err != nil {
		return err
	}
	if err := m.startComponents(ctx, cluster, record); err != nil {
		return errors.Join(err, m.halt(cluster, record))
	}
	record.Ready = true
	if err := cluster.Save(record); err != nil {
		return err
	}
	return m.prunePrograms()
}

// prunePrograms removes programs of older versions that no cluster runs.
func (m *Manager) prunePrograms() error {
	clusters, err := m.State.Clusters()
	if err != nil {
		return err
	}
	var used []string
	for _, cluster := range clusters {
		if record, err := cluster.Load(); err == nil {
			used = append(used, record.Programs)
		}
	}
	return build.Prune(m.State.Bin(), used)
}

func (m *Manager) startComponents(ctx context.Context, cluster state.Cluster, record state.Record) error {
	if record.APIOnly {
		return newStarter(cluster, record, m.Report).startControlPlane(ctx)
	}
	return m.startNode(ctx, cluster)
}

// explain adds what to do to errors of the operating system that people can act on.
func explain(err error, dir state.Dir) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; what had been started is stopped again")
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk under %s is full (%w); free some space or choose another place with --state DIR", dir, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; choose a folder of your own with --state DIR (now %s), or run as root", err, filepath.Clean(string(dir)))
	}
	return err
}

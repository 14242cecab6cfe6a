package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// savePlan writes a plan for a later `apply --plan`, readable by its owner only.
func (a *app) savePlan(path string, plan *rollout.Plan, options rollout.PlanOptions, m *manager.Manager) error {
	file, err := filepath.Abs(a.file)
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	saved, err := rollout.SavePlan(plan, options, file, m.Cluster(), version.Version)
	if err != nil {
		return err
	}
	saved.Context = m.Fleet.Cluster.Context.Value
	data, err := saved.Encode()
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := writePrivate(path, append(data, '\n')); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	fmt.Fprintf(a.err, "saved; execute exactly this with: wheelhouse apply --plan %s\n", path)
	return nil
}

// writePrivate replaces a file as a whole; at no time can others read it.
func writePrivate(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if _, err := file.Write(data); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// openPlan reads a saved plan. The fleet file and its cluster are the plan's, unless
// others are named.
func (a *app) openPlan(path string, fileNamed bool) (*rollout.SavedPlan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the saved plan: %w", err)
	}
	saved, err := rollout.ReadPlan(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !fileNamed {
		a.file = saved.File
	}
	if *a.kube.Context == "" {
		*a.kube.Context = saved.Context
	}
	return saved, nil
}

// checkSaved refuses to execute a plan that differs from the saved one.
func checkSaved(saved *rollout.SavedPlan, plan *rollout.Plan, cluster string) error {
	if saved.Cluster != cluster {
		return fmt.Errorf("nothing was written: the saved plan is for the cluster at %s, this is %s; choose another with --context", saved.Cluster, cluster)
	}
	return errors.Join(plan.Blocked(), saved.Check(plan))
}

package cluster

import (
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/process"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Status is how one cluster is. Its JSON form is part of the command's interface.
type Status struct {
	Name string `json:"name"`
	// Kind is "api-only" or "node".
	Kind string `json:"kind"`
	// State is "running", or "broken" when a component is missing or a start did not finish: then "up" repairs it.
	State      string            `json:"state"`
	Server     string            `json:"server"`
	Kubeconfig string            `json:"kubeconfig"`
	GPUs       int               `json:"gpus"`
	Created    time.Time         `json:"created"`
	Components []ComponentStatus `json:"components"`
}

// ComponentStatus is how one process of a cluster is.
type ComponentStatus struct {
	Name    string    `json:"name"`
	Running bool      `json:"running"`
	PID     int       `json:"pid,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Log     string    `json:"log"`
}

// Status describes every cluster, or only the named one.
func (m *Manager) Status(name string) ([]Status, error) {
	if name != "" {
		cluster, record, err := m.Existing(name)
		if err != nil {
			return nil, err
		}
		return []Status{statusOf(cluster, record)}, nil
	}
	clusters, err := m.State.Clusters()
	if err != nil {
		return nil, err
	}
	list := []Status{}
	for _, cluster := range clusters {
		record, err := cluster.Load()
		if err != nil {
			return nil, err
		}
		list = append(list, statusOf(cluster, record))
	}
	return list, nil
}

func statusOf(cluster state.Cluster, record state.Record) Status {
	p := params(cluster, record)
	status := Status{
		Name: cluster.Name, Kind: "node", State: "running", Server: p.Server(),
		Kubeconfig: cluster.Kubeconfig(), GPUs: record.GPUs, Created: record.Created,
	}
	if record.APIOnly {
		status.Kind = "api-only"
	}
	if !record.Ready {
		status.State = "broken"
	}
	for _, name := range config.Names(p) {
		component := componentStatus(cluster, name)
		if !component.Running {
			status.State = "broken"
		}
		status.Components = append(status.Components, component)
	}
	return status
}

func componentStatus(cluster state.Cluster, name string) ComponentStatus {
	status := ComponentStatus{Name: name, Log: cluster.Log(name)}
	if id, running := process.Read(cluster.PIDFile(name)); running {
		status.Running, status.PID, status.Since = true, id.PID, id.StartTime()
	}
	return status
}

func (m *Manager) allRunning(cluster state.Cluster, record state.Record) bool {
	return statusOf(cluster, record).State == "running"
}

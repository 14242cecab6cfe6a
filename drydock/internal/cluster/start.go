package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/apiclient"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/process"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/progress"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// starter starts a cluster's components one after the other and watches that none of them ends meanwhile.
type starter struct {
	cluster  state.Cluster
	programs string
	params   config.Params
	report   *progress.Printer
	started  map[string]*process.Process
}

func newStarter(cluster state.Cluster, record state.Record, report *progress.Printer) *starter {
	return &starter{
		cluster: cluster, programs: record.Programs, params: params(cluster, record), report: report,
		started: map[string]*process.Process{},
	}
}

func (s *starter) start(component config.Component) error {
	path := component.Path
	if path == "" {
		path = filepath.Join(s.programs, component.Name)
	}
	started, err := process.Start(process.Spec{
		Path: path, Args: component.Args, Env: component.Env,
		LogFile: s.cluster.Log(component.Name), PIDFile: s.cluster.PIDFile(component.Name),
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", component.Name, err)
	}
	s.started[component.Name] = started
	return nil
}

// patience is how long a program may take until it is ready: a machine that is busy with other things starts it slowly,
// and one that ended is noticed at once.
const patience = 3 * time.Minute

// waitUntil asks again and again until ready returns nil. It fails when a component ends or the time is over.
func (s *starter) waitUntil(ctx context.Context, what string, ready func(context.Context) error) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last, ended error
	succeeded := poll(waiting, 50*time.Millisecond, func() bool {
		s.report.Live("waiting for %s", what)
		if last = ready(waiting); last == nil {
			return true
		}
		ended = s.firstEnded()
		return ended != nil
	})
	switch {
	case ended != nil:
		return ended
	case succeeded:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%s was not ready within %s (%w); see the logs in %s", what, patience, last, filepath.Dir(s.cluster.Log("x")))
}

func (s *starter) firstEnded() error {
	for name, started := range s.started {
		select {
		case <-started.Exited():
			return fmt.Errorf("%s ended while the cluster was starting; its log %s says:\n%s", name, s.cluster.Log(name), tail(s.cluster.Log(name), 5))
		default:
		}
	}
	return nil
}

// tail returns the last lines of a file, indented.
func tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	all := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}

// startControlPlane starts etcd, the API server and the controller manager, and creates the objects that every cluster contains.
func (s *starter) startControlPlane(ctx context.Context) error {
	s.report.Step("starting etcd and the API server")
	components := config.ControlPlane(s.params)
	if err := s.startAll(components[:2]); err != nil {
		return err
	}
	client, err := adminClient(s.params)
	if err != nil {
		return err
	}
	if err := s.waitUntil(ctx, "the API server", client.Ready); err != nil {
		return err
	}
	s.report.Step("API server ready at %s", s.params.Server())
	if err := s.startAll(components[2:]); err != nil {
		return err
	}
	if err := client.Apply(ctx, config.Objects(s.params)); err != nil {
		return err
	}
	// A namespace is usable once the controller manager has given it its service account and certificate.
	if err := s.waitUntil(ctx, "the controller manager", namespaceServed(client)); err != nil {
		return err
	}
	s.report.Step("controller manager ready")
	return nil
}

func (s *starter) startAll(components []config.Component) error {
	for _, component := range components {
		if err := s.start(component); err != nil {
			return err
		}
	}
	return nil
}

func namespaceServed(client *apiclient.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		var ignored struct{}
		if err := client.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &ignored); err != nil {
			return err
		}
		return client.Get(ctx, "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", &ignored)
	}
}

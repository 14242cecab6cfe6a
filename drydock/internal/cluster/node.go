package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/apiclient"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/image"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/node"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/packages"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// EnterCommand and StartCommand are the hidden subcommands by which drydock calls itself inside a new node.
const (
	EnterCommand = "node-enter"
	StartCommand = "node-start"
)

// startNode prepares what lives on the host and runs RunNode in namespaces of its own.
func (m *Manager) startNode(ctx context.Context, cluster state.Cluster) error {
	if _, err := packages.Ensure(ctx, m.State.Packages(), m.Report); err != nil {
		return err
	}
	if err := m.makeMountPoints(); err != nil {
		return err
	}
	cmd, err := node.Command(ctx, EnterCommand, "--state", string(m.State), "--name", cluster.Name)
	if err != nil {
		return err
	}
	var complaint bytes.Buffer
	cmd.Env = append(os.Environ(), m.Report.Environ())
	cmd.Stdout, cmd.Stderr = &complaint, os.Stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if complaint.Len() == 0 {
			return fmt.Errorf("starting the node: %w", err)
		}
		return errors.New(complaint.String())
	}
	return nil
}

// EnterNode is the first step inside the new namespaces; it goes on as RunNode.
func (m *Manager) EnterNode(name string) error {
	return node.Enter(m.State.Cluster(name).ID(), []string{StartCommand, "--state", string(m.State), "--name", name})
}

// RunNode arranges the node's namespaces and starts all components in them.
func (m *Manager) RunNode(ctx context.Context, name string) error {
	cluster, record, err := m.Existing(name)
	if err != nil {
		return err
	}
	if err := node.Setup(cluster.ID(), cluster.Path("node"), network.Block(record.Block)); err != nil {
		return err
	}
	found, err := packages.Ensure(ctx, m.State.Packages(), m.Report)
	if err != nil {
		return err
	}
	s := newStarter(cluster, record, m.Report)
	runtime := config.Runtime{
		Containerd: found.Containerd, CNIPlugins: found.CNIPlugins, Env: found.Env,
		RestrictOOMScore: !node.MayLowerOOMScore(),
	}
	if err := writeNodeFiles(s.cluster, s.params, runtime); err != nil {
		return err
	}
	return s.startNodeComponents(ctx, runtime, found)
}

func writeNodeFiles(cluster state.Cluster, p config.Params, runtime config.Runtime) error {
	for name, content := range config.NodeFiles(p, runtime) {
		if err := state.WriteFile(cluster.Path("config", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	// The addresses in this folder belong to pods that no longer run.
	if err := os.RemoveAll("/var/lib/cni/networks"); err != nil {
		return err
	}
	// The device plugin takes this socket for a kubelet that runs.
	if err := os.RemoveAll(filepath.Join(config.KubeletRoot, "device-plugins", "kubelet.sock")); err != nil {
		return err
	}
	network, err := os.ReadFile(cluster.Path("config", "10-drydock.conflist"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(config.CNIConfig, "10-drydock.conflist"), network, 0o644); err != nil {
		return err
	}
	return os.MkdirAll(cluster.Path("volumes"), 0o755)
}

func (s *starter) startNodeComponents(ctx context.Context, runtime config.Runtime, found packages.Runtime) error {
	if err := s.start(config.Containerd(s.params, runtime)); err != nil {
		return err
	}
	if err := s.startControlPlane(ctx); err != nil {
		return err
	}
	if err := s.waitUntil(ctx, "containerd", socketAnswers); err != nil {
		return err
	}
	if err := importPause(ctx, s.programs, found); err != nil {
		return err
	}
	s.report.Step("starting the node")
	begin := time.Now().Truncate(time.Second) // as exact as Kubernetes writes times
	if err := s.startAll(config.NodeComponents(s.params, runtime)); err != nil {
		return err
	}
	client, err := adminClient(s.params)
	if err != nil {
		return err
	}
	if err := s.waitUntil(ctx, "the node", nodeReady(client, s.params, begin)); err != nil {
		return err
	}
	s.report.Step("node %s ready", s.params.NodeName())
	if err := s.waitUntil(ctx, "the cluster's DNS", nameResolves(s.params)); err != nil {
		return err
	}
	s.report.Step("Services and DNS ready")
	return nil
}

func socketAnswers(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", config.ContainerdSocket)
	if err != nil {
		return err
	}
	return connection.Close()
}

func importPause(ctx context.Context, programs string, found packages.Runtime) error {
	program, err := os.ReadFile(filepath.Join(programs, "pause"))
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := image.WriteArchive(&archive, config.PauseImage, "/pause", program); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, found.Ctr, "--address", config.ContainerdSocket, "--namespace", "k8s.io", "images", "import", "-")
	cmd.Env = append(os.Environ(), found.Env...)
	cmd.Stdin = &archive
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("importing the pause image: %w: %s", err, bytes.TrimSpace(output))
	}
	return nil
}

// nodeReady waits for the node's own word, given after begin, and for the GPUs that it was asked to have.
func nodeReady(client *apiclient.Client, p config.Params, begin time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		var object nodeObject
		if err := client.Get(ctx, "/api/v1/nodes/"+p.NodeName(), &object); err != nil {
			return err
		}
		if have := object.Status.Allocatable["nvidia.com/gpu"]; p.GPUs > 0 && have != fmt.Sprint(p.GPUs) {
			return fmt.Errorf("%q of %d GPUs are allocatable", have, p.GPUs)
		}
		return object.ready(begin)
	}
}

// nodeObject is what counts of a Node.
type nodeObject struct {
	Status struct {
		Allocatable map[string]string
		Conditions  []struct {
			Type, Status, Message string
			LastHeartbeatTime     time.Time
		}
	}
}

func (n nodeObject) ready(since time.Time) error {
	for _, condition := range n.Status.Conditions {
		switch {
		case condition.Type != "Ready":
		case condition.LastHeartbeatTime.Before(since):
			return errors.New("the node has not said how it is since it started again")
		case condition.Status != "True":
			return errors.New(condition.Message)
		default:
			return nil
		}
	}
	return errors.New("the node has not said how it is")
}

// nameResolves asks for a name through the DNS Service's own address: that proves DNS and Services at once.
func nameResolves(p config.Params) func(context.Context) error {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(p.Block.DNS(), "53"))
	}}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		_, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
		return err
	}
}

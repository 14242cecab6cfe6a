// Package gpu is a kubelet device plugin that advertises nvidia.com/gpu without there being one,
// so that unmodified GPU workloads are scheduled and started.
package gpu

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	resource   = "nvidia.com/gpu"
	socketName = "drydock-gpu.sock"
	// checkEvery is how often the plugin looks whether the kubelet restarted, which makes it forget its plugins.
	checkEvery = time.Second
	// retryEvery is short, because a kubelet that starts again refuses pods with GPUs until the plugin is back.
	retryEvery = 20 * time.Millisecond
)

// Run advertises --count GPUs to the node's kubelet until it is told to stop.
func Run(args []string) error {
	flags := flag.NewFlagSet("gpu-device-plugin", flag.ContinueOnError)
	count := flags.Int("count", 1, "number of GPUs to advertise")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	serve(ctx, devices(*count))
	return nil
}

// serve goes on through every restart of the kubelet until ctx ends. Of failures in a row only the first is logged.
func serve(ctx context.Context, list []*api.Device) {
	failing := false
	for ctx.Err() == nil {
		err := serveOnce(ctx, list)
		if err != nil && !failing {
			fmt.Fprintf(os.Stderr, "not registered with the kubelet, trying again: %v\n", err)
		}
		failing = err != nil
		waitFor(ctx, retryEvery)
	}
}

func devices(count int) []*api.Device {
	var list []*api.Device
	for i := range count {
		list = append(list, &api.Device{ID: fmt.Sprintf("GPU-00000000-0000-4000-8000-%012d", i), Health: api.Healthy})
	}
	return list
}

// serveOnce serves and registers the plugin, and returns when the kubelet has restarted or ctx ends.
func serveOnce(ctx context.Context, list []*api.Device) error {
	registrar, err := os.Stat(api.KubeletSocket)
	if err != nil {
		return err
	}
	socket := filepath.Join(api.DevicePluginPath, socketName)
	if err := os.RemoveAll(socket); err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, &plugin{devices: list})
	go func() { _ = server.Serve(listener) }() // ends with Stop; a broken listener shows as a failed registration
	defer server.Stop()
	if err := register(ctx); err != nil {
		return err
	}
	fmt.Printf("registered %d %s\n", len(list), resource)
	waitForRestart(ctx, registrar)
	return nil
}

func register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	_, err = api.NewRegistrationClient(connection).Register(ctx, &api.RegisterRequest{
		Version: api.Version, Endpoint: socketName, ResourceName: resource,
	})
	return err
}

// waitForRestart returns when the kubelet's registration socket is no longer the given one.
func waitForRestart(ctx context.Context, registrar os.FileInfo) {
	for ctx.Err() == nil {
		waitFor(ctx, checkEvery)
		now, err := os.Stat(api.KubeletSocket)
		if err != nil || !os.SameFile(now, registrar) {
			return
		}
	}
}

func waitFor(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

type plugin struct {
	api.UnimplementedDevicePluginServer
	devices []*api.Device
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// ListAndWatch sends the list once: these devices never fail.
func (p *plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	if err := stream.Send(&api.ListAndWatchResponse{Devices: p.devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Allocate tells the container which GPUs are its own, the way NVIDIA's plugin does.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &api.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}

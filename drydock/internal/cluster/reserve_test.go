package cluster

import (
	"net"
	"strconv"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

func TestPortsAreNotSharedWithOtherClusters(t *testing.T) {
	first, err := choosePorts(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := choosePorts(nil, []state.Record{{Ports: first}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, ports := range []map[string]int{first, second} {
		for use, port := range ports {
			if seen[port] || port < firstPort || port > lastPort {
				t.Errorf("port %d for %s; first %v, second %v", port, use, first, second)
			}
			seen[port] = true
		}
	}
}

func TestARestartedClusterKeepsItsPortsUnlessTheyAreTaken(t *testing.T) {
	ports, err := choosePorts(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := choosePorts(ports, nil)
	if err != nil || again["api"] != ports["api"] || again["etcd"] != ports["etcd"] {
		t.Errorf("had %v, got %v, %v", ports, again, err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports["api"])))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	moved, err := choosePorts(ports, nil)
	if err != nil || moved["api"] == ports["api"] || moved["etcd"] != ports["etcd"] {
		t.Errorf("had %v with the first taken, got %v, %v", ports, moved, err)
	}
}

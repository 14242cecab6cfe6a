package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Ports of API-only clusters come from below the range that the kernel gives to outgoing connections.
const (
	firstPort = 20000
	lastPort  = 29999
)

// reserve gives the cluster its ports or its network and saves the record. One cluster at a time does this,
// so that no two choose the same. What a restarted cluster had is kept where it is still free.
func (m *Manager) reserve(cluster state.Cluster, record state.Record) (state.Record, error) {
	release, err := state.Acquire(m.State.Lock(), func() {})
	if err != nil {
		return record, err
	}
	defer release()
	others, err := m.otherRecords(cluster)
	if err != nil {
		return record, err
	}
	if record.APIOnly {
		record.Ports, err = choosePorts(record.Ports, others)
	} else {
		record.Block, err = chooseBlock(record.Block, others)
	}
	if err != nil {
		return record, err
	}
	return record, cluster.Save(record)
}

func (m *Manager) otherRecords(cluster state.Cluster) ([]state.Record, error) {
	clusters, err := m.State.Clusters()
	if err != nil {
		return nil, err
	}
	var records []state.Record
	for _, other := range clusters {
		if other.Name == cluster.Name {
			continue
		}
		record, err := other.Load()
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func choosePorts(current map[string]int, others []state.Record) (map[string]int, error) {
	taken := map[int]bool{}
	for _, other := range others {
		for _, port := range other.Ports {
			taken[port] = true
		}
	}
	chosen := map[string]int{}
	for use, port := range current {
		if !taken[port] && free(port) {
			chosen[use], taken[port] = port, true
		}
	}
	for _, use := range []string{"api", "etcd"} {
		if chosen[use] != 0 {
			continue
		}
		port := firstFree(taken)
		if port == 0 {
			return nil, fmt.Errorf("every port from %d to %d on 127.0.0.1 is taken; stop some server or take clusters down with: drydock down --name NAME", firstPort, lastPort)
		}
		chosen[use], taken[port] = port, true
	}
	return chosen, nil
}

func firstFree(taken map[int]bool) int {
	for port := firstPort; port <= lastPort; port++ {
		if !taken[port] && free(port) {
			return port
		}
	}
	return 0
}

func free(port int) bool {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func chooseBlock(current int, others []state.Record) (int, error) {
	inUse, err := network.InUse()
	if err != nil {
		return 0, err
	}
	for _, other := range others {
		if other.Block != 0 {
			inUse = append(inUse, network.Block(other.Block).All())
		}
	}
	if current != 0 {
		// The addresses of its Services are part of the cluster's data, so it cannot move.
		if all := network.Block(current).All(); network.Overlaps(all, inUse) {
			return 0, fmt.Errorf("the cluster's network %s is now used by something else on this machine (see: ip route); free it, or make the cluster anew with: drydock down, drydock up", all)
		}
		return current, nil
	}
	block, err := network.Choose(inUse)
	return int(block), err
}

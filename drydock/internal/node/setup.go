package node

import (
	"os"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
)

// Setup arranges mounts and network in the namespaces that Command and Enter made. The node's own files live below dir.
func Setup(name, dir string, block network.Block) error {
	if err := mountAll(name, dir); err != nil {
		return err
	}
	host := os.NewFile(hostNetworkFD, "the host's network")
	defer func() { _ = host.Close() }()
	return network.Connect(block, host)
}

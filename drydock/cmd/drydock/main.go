//go:build linux

// Command drydock runs a real one-node Kubernetes, or only its control plane, on this machine.
package main

import (
	"os"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
}

// Package drydock carries the sources of the node's components inside the command,
// so that it builds exactly the components it was written for, from wherever it is installed.
package drydock

import "embed"

// Sources is the part of this module that the component programs are built from.
//
//go:embed go.mod go.sum cmd/components cmd/pause internal/component
var Sources embed.FS

// Command standin is the program of the stand-in runtime image.
package main

import (
	"os"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin"
)

func main() { os.Exit(standin.Main(os.Args)) }

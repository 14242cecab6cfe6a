// Command chrek-init is the first process of a pod that starts from a checkpoint:
//
//	chrek-init --patience 2m0s -- COMMAND...
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/placeholder"
)

func main() {
	patience := flag.Duration("patience", 2*time.Minute, "how long to wait for a word of the agent")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "chrek-init: name the command that is to run where no checkpoint can be restored")
		os.Exit(2)
	}
	os.Exit(placeholder.Run(*patience, flag.Args(), os.Stderr))
}

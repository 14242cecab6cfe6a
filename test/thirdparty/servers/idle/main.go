// Command idle stands in for the programs of third-party charts that tests
// need to be there, not to do anything: an operator that waits until it is
// stopped, or with the argument "once" a job that is done at once.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	if slices.Contains(os.Args[1:], "once") {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}

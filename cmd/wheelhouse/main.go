// Command wheelhouse rolls out, inspects and removes what a fleet file
// describes. Installed as kubectl-wheelhouse it is a kubectl plugin.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	_ "github.com/wheelhouse-dev/wheelhouse/internal/garbage" // first of all
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func main() {
	os.Exit(run())
}

func run() int {
	// What the client library logs is in the errors that it returns, too.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// The first signal ends the run at the next safe point, the second at once.
		signal.Stop(signals)
		stop(rollout.ErrStopped)
	}()
	return execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, options ...func(*app)) int {
	if err := runCommand(ctx, args, stdin, stdout, stderr, options...); err != nil {
		return exitCode(err)
	}
	return 0
}

// runCommand runs one command line. It prints its error, too.
func runCommand(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, options ...func(*app)) error {
	command := newRoot(args, stdin, stdout, stderr, options...)
	err := command.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), rollout.ErrStopped) {
		err = errors.New("stopped on request before anything was changed")
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintln(command.ErrOrStderr(), "Error:", err.Error())
	}
	return err
}

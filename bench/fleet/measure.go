package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Run is what one process took.
type Run struct {
	Wall time.Duration
	// Peak is the largest resident set of the process, in bytes.
	Peak   int64
	Output string
	Code   int
}

// measure runs a command line to its end. A failure that allowed does not list
// is an error with everything that was printed.
func measure(ctx context.Context, env []string, allowed []int, args ...string) (Run, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	err := cmd.Run()
	run := Run{Wall: time.Since(began), Output: output.String()}
	if cmd.ProcessState == nil {
		return run, err
	}
	run.Code = cmd.ProcessState.ExitCode()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		run.Peak = usage.Maxrss << 10
	}
	if run.Code != 0 && !slices.Contains(allowed, run.Code) {
		return run, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, run.Output)
	}
	return run, nil
}

func median[T time.Duration | float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// Package shell gives the stand-in image its /bin/sh and the few commands that
// launch scripts and probes call. It is a thin layer over a pure Go shell: it
// adds what a container's first process must do (replace itself by the last
// command, hand on SIGTERM, reap orphans).
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

const (
	exitUsage         = 2
	exitNotExecutable = 126
	exitNotFound      = 127
	exitTerminated    = 128 + int(syscall.SIGTERM)

	// childGrace is how long a child may take after SIGTERM before it is killed.
	// It stays below the platform's terminationGracePeriodSeconds of 60.
	childGrace = 50 * time.Second
)

// Main runs `sh [-euxlic] [-c STRING | FILE] [ARG...]` with the arguments after
// the program name, and returns the exit status. Where the last command of a -c
// string is a program, the process becomes that program, as the real runtime's
// shell does: it then receives the kubelet's SIGTERM itself.
func Main(args []string) int {
	call, err := parseArgs(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return exitUsage
	}
	if call.isString {
		replaceTail(call.script)
	}
	end := awaitTermination()
	ReapOrphans()

	status, err := call.run(end, os.Stdin, os.Stdout, os.Stderr)
	switch {
	case end.told():
		return exitTerminated
	case err != nil:
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 1
	}
	return status
}

// invocation is one parsed command line of sh.
type invocation struct {
	script   *syntax.File
	isString bool     // the script came with -c
	options  []string // set options, such as -e
	params   []string // $1, $2, ...
}

func parseArgs(args []string) (invocation, error) {
	var call invocation
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		flags := args[0][1:]
		args = args[1:]
		if flags == "-" {
			break
		}
		for _, f := range flags {
			switch f {
			case 'c':
				call.isString = true
			case 'e', 'u', 'x', 'f', 'n', 'a':
				call.options = append(call.options, "-"+string(f))
			case 'l', 'i':
				// A container has no login files and no terminal.
			default:
				return call, fmt.Errorf("option -%c is not supported by the stand-in's shell", f)
			}
		}
	}
	text, name, rest, err := scriptText(call.isString, args)
	if err != nil {
		return call, err
	}
	call.params = rest
	call.script, err = syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
	return call, err
}

// scriptText finds the script: the -c string, a file, or standard input.
func scriptText(isString bool, args []string) (text, name string, rest []string, err error) {
	if isString {
		if len(args) == 0 {
			return "", "", nil, errors.New("option -c needs a command string")
		}
		// After the string comes $0, then $1 and so on.
		return args[0], "sh", args[min(2, len(args)):], nil
	}
	if len(args) == 0 {
		data, err := io.ReadAll(os.Stdin)
		return string(data), "stdin", nil, err
	}
	data, err := os.ReadFile(args[0])
	return string(data), args[0], args[1:], err
}

func (c invocation) run(end *termination, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	runner, err := interp.New(
		interp.StdIO(stdin, stdout, stderr),
		interp.Params(append(append(c.options, "--"), c.params...)...),
		interp.CallHandler(end.becomeProgram),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return runChild }),
	)
	if err != nil {
		return 0, err
	}
	err = runner.Run(end.ctx, c.script)
	var status interp.ExitStatus
	if errors.As(err, &status) {
		return int(status), nil
	}
	return 0, err
}

// becomeProgram carries out a tail command that replaceTail marked: this
// process becomes the program and does not return.
func (t *termination) becomeProgram(ctx context.Context, args []string) ([]string, error) {
	if args[0] != tailMark {
		return args, nil
	}
	args = args[1:]
	hc := interp.HandlerCtx(ctx)
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		fmt.Fprintln(hc.Stderr, "sh:", err)
		return nil, interp.ExitStatus(exitNotFound)
	}
	if err := os.Chdir(hc.Dir); err != nil {
		return nil, err
	}
	if t.release() {
		return nil, interp.ExitStatus(exitTerminated)
	}
	err = syscall.Exec(path, args, exported(hc.Env))
	fmt.Fprintf(hc.Stderr, "sh: %s: %v\n", path, err)
	return nil, interp.ExitStatus(exitNotExecutable)
}

// runChild runs a program and waits for it. When the shell is told to end, the
// program gets SIGTERM.
func runChild(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		fmt.Fprintln(hc.Stderr, "sh:", err)
		return interp.ExitStatus(exitNotFound)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.Env, cmd.Dir = args, exported(hc.Env), hc.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = hc.Stdin, hc.Stdout, hc.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childGrace

	err = children.run(cmd)
	var failed *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &failed) && failed.Exited():
		return interp.ExitStatus(failed.ExitCode())
	case errors.As(err, &failed):
		return interp.ExitStatus(128 + int(failed.Sys().(syscall.WaitStatus).Signal()))
	}
	fmt.Fprintf(hc.Stderr, "sh: %s: %v\n", args[0], err)
	return interp.ExitStatus(exitNotExecutable)
}

func exported(env expand.Environ) []string {
	var list []string
	env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.Kind == expand.String {
			list = append(list, name+"="+v.String())
		}
		return true
	})
	return list
}

// Package standin is the stand-in runtime: one binary that answers to the names
// of the programs in a real inference runtime image, so that users' own graphs
// run unmodified, without a GPU and without a model. It routes, registers and
// reports its health like the real one; its answers are made up and say so.
package standin

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/profiling"
	"github.com/wheelhouse-dev/wheelhouse/internal/standin/rendezvous"
	"github.com/wheelhouse-dev/wheelhouse/internal/standin/serving"
	"github.com/wheelhouse-dev/wheelhouse/internal/standin/shell"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

const (
	exitUsage    = 2
	exitNotFound = 127
)

var (
	pythonName = regexp.MustCompile(`^python[0-9.]*$`)
	shellName  = regexp.MustCompile(`^(sh|bash)$`)
)

// Main acts as the program that argv[0] names, or, as the image's entrypoint
// `standin PROGRAM ARG...`, as the one that follows. It returns the exit status.
func Main(argv []string) int {
	if filepath.Base(argv[0]) == "standin" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		fmt.Fprintln(os.Stderr, "usage: standin PROGRAM [ARG...], where PROGRAM is python3, sh or a command")
		return exitUsage
	}
	name := filepath.Base(argv[0])
	switch command := shell.Commands[name]; {
	case pythonName.MatchString(name):
		return python(argv[1:])
	case shellName.MatchString(name):
		return shell.Main(argv[1:])
	case name == "ray":
		return rendezvous.Ray(argv[1:])
	case command != nil:
		return command(argv[1:])
	}
	if strings.HasPrefix(name, "-") {
		fmt.Fprintf(os.Stderr, "standin: got only flags (%s ...) and no program: what the real image starts by default, such as the endpoint picker, has no stand-in\n", name)
		return exitUsage
	}
	err := shell.Become(argv, os.Environ())
	fmt.Fprintln(os.Stderr, "standin:", err)
	return exitNotFound
}

func python(args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(args) > 1 && args[0] == "-m" && args[1] == profiling.Module {
		if err := profiling.Run(args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "profiler:", err)
			return 1
		}
		return 0
	}
	config, err := serving.ParsePython(args, os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	log.Info("this is the Wheelhouse stand-in runtime, not a real engine: its answers are made up",
		"program", config.Program, "role", config.Role, "namespace", config.Namespace, "version", version.Version)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	shell.ReapOrphans()
	if err := serving.Run(ctx, config, os.Getenv, log); err != nil {
		log.Error("the stand-in runtime ends", "error", err)
		return 1
	}
	return 0
}

// Command operator runs graphs and components of the API group nvidia.com. In
// its image it is /manager.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// garbage is how much there may be, in percent of what is in use, before it is
// collected. Go's own 100 would have a thousand graphs that come at once take half as
// much memory again; the time it saves is little beside that of the API server.
const garbage = 30

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	if len(os.Args) > 1 && os.Args[1] == "publish" {
		end(publishResults(os.Args[2:]))
		return
	}
	path := flag.String("config", "/etc/dynamo-operator/config.yaml", "the operator's configuration `file`")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *showVersion {
		fmt.Println(version.Version)
		return
	}
	end(run(*path))
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster's credentials: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Logging.Level)); err != nil {
		return fmt.Errorf("logging.level: %w", err)
	}
	return manager.Run(ctrl.SetupSignalHandler(), cfg, restConfig, newLogger(level))
}

// newLogger writes JSON lines, for the operator and for the libraries it uses.
func newLogger(level slog.Level) logr.Logger {
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return logger
}

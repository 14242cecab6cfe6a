package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type statusFlags struct {
	namespaces []string
	output     string
	// page is a file that shows the status.
	page  string
	watch bool
}

// watchPause is between two looks at the cluster.
const watchPause = 2 * time.Second

func (a *app) newStatus() *cobra.Command {
	var flags statusFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Show releases, gates, what the file wants otherwise, and graphs",
		Long: `Show every release of the fleet, whether it is ready and as the file wants it, and
the graphs that its operators serve. A graph that is not ready is its owner's to
mend and does not change the exit code. What others changed in the cluster is
shown by wheelhouse plan --drift. Of a file with problems only the identity is
needed: what is in the cluster is shown all the same.

With --watch, look again every two seconds: on a terminal the tables are
redrawn, elsewhere each change is a line. Ctrl-C ends it. With --html, write it
once as a page that needs no network, with the warnings about the file.`,
		Example: `  wheelhouse status -f fleet.yaml
  wheelhouse status -f fleet.yaml -w
  wheelhouse status -f fleet.yaml -o json
  wheelhouse status -f fleet.yaml --html status.html`,
		Args: noArguments(func(args []string) string { return fmt.Sprintf("`wheelhouse status -n %s` shows one tenant", args[0]) }),
		RunE: func(c *cobra.Command, _ []string) error { return a.status(c.Context(), flags) },
	}
	a.fleetFlags(c)
	namespacesFlag(c, &flags.namespaces)
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table, wide (with images and volumes), or json")
	c.Flags().BoolVarP(&flags.watch, "watch", "w", false, "keep showing it")
	c.Flags().StringVar(&flags.page, "html", "", "write the status to a file as a page")
	c.MarkFlagsMutuallyExclusive("watch", "html")
	return c
}

func (a *app) status(ctx context.Context, flags statusFlags) error {
	if err := oneOf("output", flags.output, "table", "wide", "json"); err != nil {
		return err
	}
	fleet, err := a.recognize(ctx)
	if err != nil {
		return err
	}
	if fleet.unread != nil {
		fmt.Fprintf(a.err, "%s\n\n", fleet.unread)
	}
	m, err := a.connect(ctx, fleet)
	if err != nil {
		return err
	}
	defer m.Close()
	namespaces, err := fleet.Select(flags.namespaces)
	if err != nil {
		return err
	}
	detailed := !flags.watch && (flags.output != "table" || flags.page != "")
	look := func() (*rollout.Status, error) {
		status, err := m.Status(ctx, detailed)
		if err == nil {
			status.Only(namespaces)
		}
		return status, err
	}
	var status *rollout.Status
	if flags.watch {
		status, err = a.watch(ctx, look, flags.output == "json")
	} else if status, err = a.lookOnce(m, look); err == nil {
		err = a.printStatus(status, flags.output)
	}
	if err == nil && flags.page != "" {
		err = a.writePage(flags.page, func(w io.Writer) error {
			return report.StatusPage(w, status, fleet.says(), report.Commands(displayName(), a.advised), time.Now())
		})
	}
	if err == nil && status != nil && !status.Healthy() {
		return quietError(1)
	}
	return err
}

// lookOnce shows that it goes on, and what the cluster's trouble is, if it takes a while.
func (a *app) lookOnce(m *manager.Manager, look func() (*rollout.Status, error)) (*rollout.Status, error) {
	progress := a.reading()
	defer progress.Close()
	m.Say = func(message string) { progress.Say("%s", message) }
	return look()
}

// says is what reading the file told.
func (s subject) says() report.FileSays {
	if s.unread != nil {
		return report.FileSays{Unread: s.unread}
	}
	return report.FileSays{Warnings: s.desired.Warnings.With(check.Warning)}
}

func (a *app) printStatus(status *rollout.Status, output string) error {
	if output == "json" {
		return report.JSON(a.out, status)
	}
	return report.Status(a.people(), status, output == "wide")
}

// watch looks again and again until the user ends it, and returns what it saw
// last. A cluster that does not answer for a while is waited for.
func (a *app) watch(ctx context.Context, look func() (*rollout.Status, error), asJSON bool) (*rollout.Status, error) {
	screen := report.NewWatch(a.out, asJSON)
	var last *rollout.Status
	for {
		status, err := look()
		switch {
		case ctx.Err() != nil:
			// The look was cut off; what the user saw before counts.
			err = nil
		case err == nil:
			last, err = status, screen.Show(status, time.Now())
		default:
			err = screen.Fail(err, time.Now())
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-time.After(watchPause):
		}
	}
}

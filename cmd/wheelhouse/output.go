package main

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// output is how a rollout is told, while it runs and when it has ended.
type output struct {
	// notify receives the events of the rollout.
	notify func(rollout.Event)
	// result prints how it ended.
	result func(*rollout.Result) error
}

// progress begins to tell people what goes on.
func (a *app) progress() *report.Progress {
	progress := report.NewProgress(a.err)
	if a.verbose {
		progress.Lines()
	}
	return progress
}

// reading shows that the cluster is being read, if that takes a while, until it is closed.
func (a *app) reading() *report.Progress {
	progress := a.progress()
	progress.Begin("reading the cluster")
	return progress
}

// output makes the output of a format: table, json or events. People get lines
// of progress with each.
func (a *app) output(format string, progress *report.Progress) output {
	switch format {
	case "json":
		return output{notify: progress.Notify, result: func(r *rollout.Result) error { return report.JSON(a.out, report.NewRun(r)) }}
	case "events":
		if report.IsTerminal(a.out) {
			progress.Lines()
		}
		events := report.NewEvents(a.out)
		notify := func(e rollout.Event) {
			progress.Notify(e)
			events.Notify(e)
		}
		return output{notify: notify, result: events.Result}
	default:
		return output{notify: progress.Notify, result: func(r *rollout.Result) error {
			if err := report.RunTables(a.people(), r, format == "wide"); err != nil {
				return err
			}
			if path := report.CriticalPath(r); path != "" {
				fmt.Fprintln(a.err, path)
			}
			return nil
		}}
	}
}

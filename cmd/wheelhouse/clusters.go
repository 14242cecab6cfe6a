package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

// severally are the commands that run for each cluster that their fleet file names,
// unless --context names one. What the others say or do is about one cluster alone, for
// which they ask.
var severally = map[string]bool{
	"validate": true, "plan": true, "apply": true, "status": true, "doctor": true, "history": true, "destroy": true, "upgrade-check": true,
	"images": true, "lock": true, "pull": true,
}

// ofEachCluster makes these commands run once for each cluster, side by side.
func (a *app) ofEachCluster(root *cobra.Command) {
	visit(root, func(c *cobra.Command) {
		run := c.RunE
		if !severally[c.Name()] {
			return
		}
		c.RunE = func(c *cobra.Command, args []string) error {
			contexts := a.contexts(c, args)
			if len(contexts) < 2 {
				return run(c, args)
			}
			for _, name := range []string{"out", "html"} {
				if f := c.Flags().Lookup(name); f != nil && f.Changed {
					return fmt.Errorf("--%s is about one cluster: name it with --context, the fleet runs on %s", name, strings.Join(contexts, ", "))
				}
			}
			return a.onEach(c, contexts)
		}
	})
}

// contexts are the clusters of the fleet file, where the command is about a fleet and
// nobody named one of them.
func (a *app) contexts(c *cobra.Command, args []string) []string {
	file, err := c.Flags().GetString("filename")
	plan := c.Flags().Lookup("plan")
	wholeFile := slices.Contains([]string{"hauler", "zarf"}, outputOf(c))
	if err != nil || wholeFile || file == "" || *a.kube.Context != "" || len(args) > 0 || plan != nil && plan.Changed {
		return nil
	}
	return fleet.Contexts(a.files(), file)
}

// outcome is how a command ended on a cluster.
type outcome struct {
	Context  string          `json:"context"`
	ExitCode int             `json:"exitCode"`
	Error    string          `json:"error,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`

	out bytes.Buffer
}

// onEach runs this command line for each context and tells how it ended on each. One
// that fails holds no other. Nobody is asked for consent meanwhile: it is given by flags.
func (a *app) onEach(c *cobra.Command, contexts []string) error {
	var writing sync.Mutex
	outcomes := make([]outcome, len(contexts))
	var running sync.WaitGroup
	for i, name := range contexts {
		o := &outcomes[i]
		o.Context = name
		streamed := &labelled{to: a.out, mutex: &writing, label: labelFor(c, name)}
		said := &labelled{to: report.Bare(a.err), mutex: &writing, label: label(name)}
		var out io.Writer = &o.out
		if streams(c) {
			out = streamed
		}
		running.Go(func() {
			defer streamed.end()
			defer said.end()
			err := runCommand(c.Context(), slices.Concat([]string{"--context=" + name}, a.args), a.in, out, said, a.shares)
			if err != nil {
				o.ExitCode, o.Error = exitCode(err), err.Error()
			}
		})
	}
	running.Wait()
	if err := a.tellOutcomes(c, outcomes); err != nil {
		return err
	}
	return together(outcomes)
}

// shares gives the run for one cluster what there is once: the standard input, the
// lock file, and what may be done.
func (a *app) shares(child *app) {
	child.input, child.locking, child.readOnly = a.input, a.locking, a.readOnly
}

// streams: what the command prints is not to wait for its end.
func streams(c *cobra.Command) bool {
	watch := c.Flags().Lookup("watch")
	return watch != nil && watch.Changed || outputOf(c) == "events"
}

func outputOf(c *cobra.Command) string {
	if f := c.Flags().Lookup("output"); f != nil {
		return f.Value.String()
	}
	return ""
}

func label(context string) func(string) string {
	name := report.Clean(context)
	return func(line string) string { return strings.TrimRight(name+": "+line, " ") }
}

// labelFor keeps lines that are for machines JSON.
func labelFor(c *cobra.Command, context string) func(string) string {
	if output := outputOf(c); output != "json" && output != "events" {
		return label(context)
	}
	return func(line string) string {
		data, err := json.Marshal(map[string]any{"context": context, "output": json.RawMessage(line)})
		if err != nil {
			return label(context)(line)
		}
		return string(data)
	}
}

// tellOutcomes prints what the commands printed, under the name of their cluster, and
// before it how they ended.
func (a *app) tellOutcomes(c *cobra.Command, outcomes []outcome) error {
	if outputOf(c) == "json" && !streams(c) {
		for i := range outcomes {
			if o := &outcomes[i]; json.Valid(o.out.Bytes()) {
				o.Output = o.out.Bytes()
			}
		}
		return report.JSON(a.out, map[string]any{"clusters": outcomes})
	}
	rows := make([][]string, 0, len(outcomes))
	for _, o := range outcomes {
		rows = append(rows, []string{o.Context, o.result()})
	}
	if err := report.Table(a.people(), []string{"CLUSTER", "RESULT"}, rows); err != nil {
		return err
	}
	for i := range outcomes {
		if o := &outcomes[i]; o.out.Len() > 0 {
			fmt.Fprintf(a.people(), "\nCluster %s\n", o.Context)
			if _, err := o.out.WriteTo(a.out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *outcome) result() string {
	first, _, _ := strings.Cut(o.Error, "\n")
	switch {
	case first != "":
		return "failed: " + strings.TrimSuffix(first, ":")
	case o.ExitCode != 0:
		return fmt.Sprintf("exit code %d", o.ExitCode)
	default:
		return "ok"
	}
}

// together is the error of all: 1, for what failed, outweighs every other exit code.
func together(outcomes []outcome) error {
	var failed []string
	worst := 0
	for _, o := range outcomes {
		if o.Error != "" {
			failed = append(failed, o.Context)
		}
		if o.ExitCode == 1 || worst == 0 {
			worst = o.ExitCode
		}
	}
	switch {
	case len(failed) == len(outcomes):
		return fmt.Errorf("failed on %s", strings.Join(failed, ", "))
	case len(failed) > 0:
		return fmt.Errorf("failed on %s; what was done or said on the others stands", strings.Join(failed, ", "))
	case worst != 0:
		return quietError(worst)
	default:
		return nil
	}
}

// labelled writes whole lines, each with a label, to a stream that others write to.
type labelled struct {
	to    io.Writer
	mutex *sync.Mutex
	label func(line string) string
	// rest is a line whose end is still to come.
	rest []byte
}

func (l *labelled) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if _, err := fmt.Fprintln(l.to, l.label(string(line))); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// end writes what is left without an end of its line.
func (l *labelled) end() {
	if len(l.rest) > 0 {
		_, _ = l.Write([]byte("\n"))
	}
}

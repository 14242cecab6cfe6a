// Command faults proves that wheelhouse can be killed or stopped, and its requests
// lost, at any moment. A proxy in front of a real API server counts the requests of a
// run, kills the client after the k-th, and the next run must end in the state
// that an undisturbed one ends in, object by object. Where objects are converted between
// versions, they must be readable in all that are served after every kill. It prints, last,
// how often each was tried and how often it held, and exits with 1 if it once did not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

func main() {
	every := flag.Int("every", 1, "kill after every n-th request")
	only := flag.String("only", "", "only the scenarios with this in their names")
	runs := flag.Int("runs", 5, "how many runs of each scenario have random faults")
	rounds := flag.Int("rounds", 6, "how often a client is stopped in each pair of commands")
	parallel := flag.Int("parallel", 4, "how many fleets are swept at the same time")
	charts := flag.String("charts", "test/faults/testdata", "the folder with the small charts")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, options{every: *every, runs: *runs, rounds: *rounds, parallel: *parallel, only: *only, charts: *charts})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

type options struct {
	every, runs, rounds, parallel int
	only, charts                  string
}

func run(ctx context.Context, o options) (ok bool, err error) {
	c, err := cluster.Up()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	h, err := newHarness(ctx, c, o.charts, os.Stderr)
	if err != nil {
		return false, err
	}
	h.parallel = o.parallel
	tallies, troubles, err := h.all(ctx, o)
	var stands []*stand
	if err == nil {
		stands, err = h.allStops(ctx, o)
	}
	h.say("==> waiting until all namespaces are gone")
	if err := errors.Join(err, h.Close()); err != nil {
		return false, err
	}
	return printTables(os.Stdout, tallies, troubles, stands)
}

func (h *harness) allStops(ctx context.Context, o options) (stands []*stand, err error) {
	for _, e := range encounters {
		if !strings.Contains(e.name, o.only) {
			continue
		}
		h.say("==> %s", e.name)
		s, err := h.meet(ctx, e, o.rounds)
		if err != nil {
			return nil, err
		}
		stands = append(stands, s)
	}
	return stands, nil
}

func (h *harness) all(ctx context.Context, o options) (tallies []*tally, troubles []*trouble, err error) {
	for _, s := range scenarios {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		h.say("==> %s, killed", s.name)
		t, err := h.sweep(ctx, s, o.every)
		if err != nil {
			return nil, nil, err
		}
		tallies = append(tallies, t)
		h.say("    %d of %d kills survived in %s; after %d of %d all could be read", t.survived, t.tried, t.took.Round(time.Second), t.read, t.asked)
		h.say("==> %s, with random faults", s.name)
		d, err := h.disturb(ctx, s, o.runs)
		if err != nil {
			return nil, nil, err
		}
		troubles = append(troubles, d)
	}
	return tallies, troubles, nil
}

// printTables prints the results and reports whether everything held.
func printTables(w io.Writer, tallies []*tally, troubles []*trouble, stands []*stand) (bool, error) {
	ok := len(tallies)+len(stands) > 0
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "FAULTS AT 10 %\tRUNS\tINJECTED\tFINISHED BY THEMSELVES\tENDED RIGHT\tSLOWEST")
	for _, t := range troubles {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", t.name, t.runs, t.faults, t.finished, t.survived, t.slowest.Round(10*time.Millisecond))
		ok = ok && t.survived == t.runs
	}
	fmt.Fprintln(table, "\t\t\t\t\t")
	fmt.Fprintln(table, "KILLED AFTER REQUEST K\tREQUESTS\tK TRIED\tSURVIVED\tSLOWEST NEXT RUN\tTOOK")
	for _, t := range tallies {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\n", t.name, t.requests, t.tried, t.survived,
			t.slowest.Round(10*time.Millisecond), t.took.Round(time.Second))
		ok = ok && t.tried > 0 && t.survived == t.tried
	}
	fmt.Fprintln(table, "\t\t\t\t\t")
	fmt.Fprintln(table, "OBJECTS READ IN EVERY VERSION AFTER A KILL\t\tTRIED\tHELD\t\t")
	for _, t := range tallies {
		if t.asked > 0 {
			fmt.Fprintf(table, "%s\t\t%d\t%d\t\t\n", t.name, t.asked, t.read)
			ok = ok && t.read == t.asked
		}
	}
	fmt.Fprintln(table, "\t\t\t\t\t")
	fmt.Fprintln(table, "STOPPED UNTIL ANOTHER CLIENT HAD ENDED\tTRIED\tAS THAT LEFT IT\tAFTER ITS NEXT RUN\tHELD\tTOOK")
	for _, s := range stands {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", s.name, s.tried, s.as, s.next, s.held(), s.took.Round(time.Second))
		ok = ok && s.tried > 0 && s.held() == s.tried
	}
	return ok, table.Flush()
}

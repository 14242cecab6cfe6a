package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// consent stops a plan that cannot be carried out, and asks for what needs a
// person's consent, all at once, after showing the plan.
func (a *app) consent(ctx context.Context, plan *rollout.Plan, flags applyFlags, progress *report.Progress) error {
	if err := plan.Blocked(); err != nil {
		progress.Pause()
		return errors.Join(report.OwnershipTable(a.err, plan.Foreign()), err)
	}
	asked := plan.Questions(flags.Consent)
	if len(asked) == 0 {
		return nil
	}
	progress.Pause()
	if err := report.PlanTable(a.err, plan); err != nil {
		return err
	}
	return a.ask(ctx, plan.Fleet, asked...)
}

// ask asks a person, who confirms with the name of the fleet. Where nobody can
// see the question or type an answer, there is nobody to ask.
func (a *app) ask(ctx context.Context, fleet string, asked ...rollout.Question) error {
	var about, flags []string
	for _, q := range asked {
		about = append(about, q.About)
		if !slices.Contains(flags, q.Flag) {
			flags = append(flags, q.Flag)
		}
	}
	if !report.IsTerminal(a.in) || !report.IsTerminal(a.err) {
		return fmt.Errorf("nothing was done: %s, and there is no terminal to ask on, confirm with %s", strings.Join(about, "; "), strings.Join(flags, " "))
	}
	fmt.Fprintf(a.err, "\n%s.\nType the name of the fleet (%s) to confirm: ", strings.Join(about, "; "), fleet)
	answer, err := readLine(ctx, a.in)
	switch {
	case err == nil && strings.TrimSpace(answer) == fleet:
		return nil
	case err == nil:
		return errors.New("nothing was done: not confirmed")
	}
	// Nobody pressed Enter: the cursor is still behind the question.
	fmt.Fprintln(a.err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return errors.New("nothing was done: not confirmed")
	default:
		return fmt.Errorf("nothing was done: %w", err)
	}
}

// readLine reads until Enter, or until ctx ends. A read of a terminal cannot be
// cancelled: it is left behind, and ends with the program.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(r).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-read:
		return l.text, l.err
	}
}

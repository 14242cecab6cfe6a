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

// question is something that is only done with a person's consent.
type question struct {
	// about says what would happen: "3 objects are deleted".
	about string
	// flag is how consent is given without a terminal: "--yes".
	flag string
	// given says that the flag is there.
	given bool
}

// open are the questions that no flag has answered yet.
func open(questions []question) []question {
	var out []question
	for _, q := range questions {
		if !q.given {
			out = append(out, q)
		}
	}
	return out
}

// questions are what a plan needs consent for. Whatever else does, is one more
// question here.
func questions(plan *rollout.Plan, flags applyFlags) []question {
	var out []question
	if n := plan.Deletions(); n > 0 {
		out = append(out, question{about: fmt.Sprintf("%d objects are deleted", n), flag: "--yes", given: flags.yes})
	}
	if replaced := plan.Unagreed(flags.recreate); len(replaced) > 0 {
		out = append(out, question{about: fmt.Sprintf("%d objects that cannot change in place are replaced", len(replaced)), flag: recreating(replaced)})
	}
	if crds, objects := plan.Unmoved(flags.moves); len(crds) > 0 {
		out = append(out, question{
			about: fmt.Sprintf("%d objects of %s are written once more, so that versions of it may end", objects, strings.Join(crds, ", ")),
			flag:  "--migrate-storage " + strings.Join(crds, " --migrate-storage "),
		})
	}
	if n := len(plan.Adoptions()); n > 0 {
		out = append(out, question{about: fmt.Sprintf("%d releases or objects that exist already are taken over", n), flag: "--adopt", given: flags.adopt})
	}
	if n := plan.LostValues(); n > 0 {
		out = append(out, question{about: fmt.Sprintf("%d values of yours are for keys that the new charts do not have", n), flag: "--yes", given: flags.yes})
	}
	return out
}

// recreating are the flags that consent to replacing objects, each name once.
func recreating(changes []rollout.Change) string {
	var flags []string
	for _, change := range changes {
		flags = append(flags, "--recreate "+change.Kind+"/"+change.Name)
	}
	slices.Sort(flags)
	return strings.Join(slices.Compact(flags), " ")
}

// consent stops a plan that cannot be carried out, and asks for what needs a
// person's consent, all at once, after showing the plan.
func (a *app) consent(ctx context.Context, plan *rollout.Plan, flags applyFlags, progress *report.Progress) error {
	if err := plan.Blocked(); err != nil {
		progress.Pause()
		return errors.Join(report.OwnershipTable(a.err, plan.Foreign()), err)
	}
	asked := open(questions(plan, flags))
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
func (a *app) ask(ctx context.Context, fleet string, questions ...question) error {
	asked := open(questions)
	if len(asked) == 0 {
		return nil
	}
	var about, flags []string
	for _, q := range asked {
		about = append(about, q.about)
		if !slices.Contains(flags, q.flag) {
			flags = append(flags, q.flag)
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

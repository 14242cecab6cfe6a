package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// listed is how many of a kind of problem an error names; tables have the rest.
const listed = 10

// Blocked says why the plan cannot be carried out as things are; nil if it can.
func (p *Plan) Blocked() error {
	problems := slices.Concat(p.foreign(), p.oversized(), p.noWay(), p.harmLines(), p.conflicts(), p.refused())
	if len(problems) == 0 {
		return nil
	}
	return errors.New("nothing was written:\n" + strings.Join(problems, "\n"))
}

// foreign lists the objects that belong to somebody else.
func (p *Plan) foreign() []string {
	var lines []string
	for _, row := range p.Foreign() {
		line := fmt.Sprintf("release %s: %s belongs to %s (%s); look at it with `%s`", row.Release, row.Object(), row.Owner, row.Reason, row.Look)
		if row.Fix != "" {
			line += "; " + row.Fix
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	return append(shortened(lines), "Foreign objects: delete or rename them, or give the release another namespace or name.")
}

// refused lists the objects that the server does not accept.
func (p *Plan) refused() []string {
	var lines, who []string
	for _, step := range p.Steps {
		before := len(lines)
		for _, change := range step.Changes {
			if change.Action == ChangeRefused && step.Left == "" {
				lines = append(lines, strings.Join(append([]string{fmt.Sprintf("%s: %s %s: %s", step.ID, change.Action, change, change.Reason)}, change.Replacement.Lines()...), "\n    "))
			}
		}
		if len(lines) > before && step.Kind == StepRelease && !ofCluster(step.target.Chart) {
			who = append(who, step.Key.String())
		}
	}
	if rest := p.releases() - len(who); len(who) > 0 && rest > 0 {
		return append(shortened(lines), fmt.Sprintf("%d releases cannot go: %s; to do the other %d: `%s --keep-going`", len(who), strings.Join(shortened(who), ", "), rest, p.Apply()))
	}
	return shortened(lines)
}

// releases counts the releases that the plan changes.
func (p *Plan) releases() (n int) {
	for _, step := range p.Steps {
		if step.Kind == StepRelease && step.Action.Changes() {
			n++
		}
	}
	return n
}

// conflicts lists the fields that other programs own, and how to go on.
func (p *Plan) conflicts() []string {
	var lines, leave, take []string
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			for _, f := range change.Conflicts {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", step.ID, change, f))
				leave = append(leave, "    - "+change.Ref(f.Field))
				take = append(take, "  --take-field '"+change.Ref(f.Field)+"'")
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	out := append(shortened(lines), "To leave them to their owners, write into the fleet file, under spec:", "  leaveFields:")
	out = append(append(out, shortened(leave)...), fmt.Sprintf("To take all of them over: `%s --force-conflicts`. One by one, with:", p.Apply()))
	return append(out, shortened(take)...)
}

func shortened(lines []string) []string {
	if len(lines) <= listed {
		return lines
	}
	return append(lines[:listed:listed], fmt.Sprintf("and %d more", len(lines)-listed))
}

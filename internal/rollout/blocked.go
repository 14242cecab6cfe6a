package rollout

import (
	"errors"
	"fmt"
	"strings"
)

// listed is how many of a kind of problem an error names; tables have the rest.
const listed = 10

// Blocked says why the plan cannot be carried out as things are; nil if it can.
func (p *Plan) Blocked() error {
	problems := p.foreign()
	for _, action := range []ChangeAction{ChangeConflict, ChangeRefused} {
		problems = append(problems, p.stopped(action)...)
	}
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

// stopped lists the objects whose change the server does not accept.
func (p *Plan) stopped(action ChangeAction) []string {
	var lines []string
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			if change.Action == action {
				lines = append(lines, fmt.Sprintf("release %s: %s %s: %s", step.Key, change.Action, change, change.Reason))
			}
		}
	}
	if action == ChangeConflict && len(lines) > 0 {
		return append(shortened(lines), "Conflicts: another program owns these fields; remove them from the values, or take them over with --force-conflicts.")
	}
	return shortened(lines)
}

func shortened(lines []string) []string {
	if len(lines) <= listed {
		return lines
	}
	return append(lines[:listed:listed], fmt.Sprintf("and %d more", len(lines)-listed))
}

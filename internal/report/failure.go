package report

import (
	"fmt"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// RunError says how a run ended that did not do all: the causes, equal ones
// once, what set them, where to look and what to do; nil if all was done.
func RunError(r *rollout.Result) error {
	failed, left, skipped := outcomes(r)
	switch {
	case r.Interrupted:
		// Not wrapped: a stop that ends a run is not one before its first change.
		return fmt.Errorf("%s; %d of %d steps are left (%s); run the same command again to finish", r.Cause.Error(), len(left), len(r.Outcomes), some(left))
	case len(failed) == 0:
		return nil
	}
	because := ""
	if skipped > 0 {
		because = fmt.Sprintf(", %d were skipped because of them", skipped)
	}
	text := fmt.Sprintf("%d of %d steps failed%s:", len(failed), len(r.Outcomes), because)
	return fmt.Errorf("%s\n%s%s%s", text, strings.Join(causes(failed), "\n"), takenBack(r), advice(r))
}

// mostCauses is how many different failures an error tells.
const mostCauses = 10

// causes are the failures, equal ones once.
func causes(failed []rollout.Outcome) []string {
	var all grouped
	where := map[string]rollout.Outcome{}
	for _, o := range failed {
		namespace, name := o.Step.Namespace, o.Step.ID
		if o.Step.Key.Name != "" {
			namespace, name = o.Step.Key.Namespace, string(o.Step.Kind)+" "+o.Step.Key.Name
		}
		all.add(namespace, name, o.Err.Error())
		if _, known := where[namespace+name]; !known {
			where[namespace+name] = o
		}
	}
	var out []string
	for i, key := range all.order {
		if i == mostCauses {
			return append(out, fmt.Sprintf("  and %d other failures; -o json has them", len(all.order)-i))
		}
		at := all.of[key]
		line := (&grouped{order: []string{key}, of: all.of}).lines()[0]
		out = append(out, "  "+strings.ReplaceAll(line, "\n", "\n    "))
		o := where[at.namespaces[0]+at.name]
		if o.Step.SetBy(o.Err) != "" {
			out = append(out, "    set by "+o.Step.SetBy(o.Err))
		}
		if o.Step.Kind == rollout.StepGate && at.namespaces[0] != "" {
			out = append(out, fmt.Sprintf("    look with: kubectl -n %s get pods,events", at.namespaces[0]))
		}
	}
	return out
}

// takenBack says what became of what was changed before the failure.
func takenBack(r *rollout.Result) string {
	switch {
	case r.Undone == nil && len(r.Stays) == 0:
		return ""
	case r.Undone == nil:
		return "\nwhat was changed stays: " + strings.Join(r.Stays, "; ")
	case r.Undone.Err() != nil:
		return fmt.Sprintf("\nnot all that was changed could be taken back: %s", r.Undone.Err())
	case len(r.Stays) > 0:
		return "\nwhat was changed has been taken back, but not all: " + strings.Join(r.Stays, "; ")
	default:
		return "\nwhat was changed has been taken back"
	}
}

// advice is the next step after a failure.
func advice(r *rollout.Result) string {
	if r.Undone != nil || len(r.Stays) > 0 {
		return ""
	}
	return "\nMend the cause and run the same command again, or go back with `wheelhouse rollback`."
}

// outcomes lists the steps that failed, and names all that are not done.
func outcomes(r *rollout.Result) (failed []rollout.Outcome, left []string, skipped int) {
	for _, o := range r.Outcomes {
		switch o.State {
		case rollout.StateDone:
			continue
		case rollout.StateFailed:
			failed = append(failed, o)
		case rollout.StateSkipped:
			skipped++
		}
		left = append(left, o.Step.ID)
	}
	return failed, left, skipped
}

// some names a few of many.
func some(names []string) string {
	const few = 6
	if len(names) > few {
		return strings.Join(names[:few], ", ") + fmt.Sprintf(" and %d more", len(names)-few)
	}
	return strings.Join(names, ", ")
}

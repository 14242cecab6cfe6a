package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// fewAlike is how many steps that are alike are still told one by one.
const fewAlike = 3

// planSteps says what the steps of a plan do; those that do the same in many
// namespaces are told once.
func planSteps(w io.Writer, p *rollout.Plan) {
	alike := map[string][]rollout.Step{}
	for _, step := range p.Steps {
		alike[likeness(step)] = append(alike[likeness(step)], step)
	}
	told := map[string]bool{}
	for _, step := range p.Steps {
		key := likeness(step)
		switch {
		case !step.Action.Changes() || told[key]:
		case key == "" || len(alike[key]) <= fewAlike:
			stepLines(w, step)
		default:
			told[key] = true
			alikeLines(w, alike[key])
		}
	}
}

// likeness is the same for steps that do the same but for the namespace; empty
// for one that is to be told by itself.
func likeness(s rollout.Step) string {
	switch {
	case len(s.Definitions) > 0 || s.Downgrade != "":
		return ""
	case s.Kind == rollout.StepNamespace:
		return "namespace " + string(s.Action)
	case s.Kind != rollout.StepRelease:
		return ""
	}
	parts := []string{s.Key.Name, string(s.Action), withoutNamespace(s.Reason, s.Key.Namespace)}
	for _, value := range s.Values {
		parts = append(parts, valueLine(value))
	}
	return strings.Join(append(parts, objectLines(s)...), "\n")
}

// objectLines say what happens to the objects, wherever they are.
func objectLines(s rollout.Step) []string {
	var out []string
	for _, change := range s.Changes {
		for _, line := range changeLines(change) {
			out = append(out, withoutNamespace(line, s.Key.Namespace))
		}
	}
	return out
}

func alikeLines(w io.Writer, steps []rollout.Step) {
	first := steps[0]
	names := make([]string, 0, len(steps))
	for _, step := range steps {
		if step.Kind == rollout.StepNamespace {
			names = append(names, step.Namespace)
		} else {
			names = append(names, step.Key.Namespace)
		}
	}
	if first.Kind == rollout.StepNamespace {
		fmt.Fprintf(w, "%s %s: %s\n", first.Action, count(len(steps), "namespace"), few(names))
		return
	}
	each := effect(first)
	if each != "" {
		each = ": each " + strings.TrimPrefix(each, ": ")
	}
	what := fmt.Sprintf("%s release %s in %s (%s)", first.Action, first.Key.Name, count(len(steps), "namespace"), few(names))
	fmt.Fprintln(w, withReason(what, withoutNamespace(first.Reason, first.Key.Namespace))+each)
	for _, value := range first.Values {
		fmt.Fprintln(w, "   ", valueLine(value))
	}
	for _, line := range objectLines(first) {
		fmt.Fprintln(w, "   ", line)
	}
}

// valueLine says which value changed, to what, and where.
func valueLine(v rollout.ValueChange) string {
	switch {
	case v.Gone:
		return fmt.Sprintf("value    %s is no longer set", v.Path)
	case v.Old == nil:
		return fmt.Sprintf("value    %s is %s (%s)", v.Path, short(v.New), v.SetAt)
	default:
		return fmt.Sprintf("value    %s: %s to %s (%s)", v.Path, short(v.Old), short(v.New), v.SetAt)
	}
}

package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// shownChanges is how many differences of one CRD a table lists; JSON has all.
const shownChanges = 20

// stepLines says what a step does: its effect, its objects, its CRDs.
func stepLines(w io.Writer, step rollout.Step) {
	fmt.Fprintln(w, withReason(fmt.Sprintf("%s %s", step.Action, step.ID), step.Reason)+effect(step))
	valueLines(w, step)
	for _, change := range step.Changes {
		for _, line := range changeLines(change) {
			fmt.Fprintln(w, "   ", line)
		}
	}
	kindLines(w, step)
}

// valueLines says which values a step changes.
func valueLines(w io.Writer, step rollout.Step) {
	for _, value := range step.Values {
		fmt.Fprintln(w, "   ", valueLine(value))
	}
}

// kindLines says what a step does by changing CRDs.
func kindLines(w io.Writer, step rollout.Step) {
	for _, definition := range step.Definitions {
		definitionLines(w, definition)
	}
	if len(step.Concerns) > 0 {
		fmt.Fprintln(w, "    concerns the objects of", concerns(step.Concerns))
	}
	if step.Downgrade != "" {
		fmt.Fprintln(w, "    downgrade:", step.Downgrade)
	}
}

// shownFleets is how many fleets a line names; JSON has all.
const shownFleets = 10

// concerns names fleets, and where each has its releases.
func concerns(fleets []rollout.OtherFleet) string {
	var names []string
	for _, f := range fleets[:min(len(fleets), shownFleets)] {
		names = append(names, fmt.Sprintf("%s (in %s)", f.Name, strings.Join(f.Namespaces, " and ")))
	}
	if more := len(fleets) - shownFleets; more > 0 {
		names = append(names, count(more, "more fleet"))
	}
	return count(len(fleets), "other fleet") + ": " + strings.Join(names, ", ")
}

// effect sums up what costs something: objects that go, pods that restart.
func effect(step rollout.Step) string {
	var parts []string
	if n := step.Deletions(); n > 0 {
		parts = append(parts, "deletes "+count(n, "object"))
	}
	if n := step.Replacements(); n > 0 {
		parts = append(parts, "replaces "+count(n, "object"))
	}
	if n := step.Restarts(); n > 0 {
		parts = append(parts, "restarts "+count(n, "pod"))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func definitionLines(w io.Writer, r *crdsafety.Report) {
	fmt.Fprintf(w, "    CRD %s %s\n", r.Name, verdict(r))
	shown, safe := 0, 0
	for _, change := range r.Changes {
		switch {
		case change.Class == crdsafety.Safe:
			safe++
		case shown < shownChanges:
			fmt.Fprintf(w, "        %-9s %s\n", change.Class, change)
			shown++
		default:
			shown++
		}
	}
	if shown > shownChanges {
		fmt.Fprintf(w, "        and %d more; -o json lists all\n", shown-shownChanges)
	}
	if safe > 0 {
		fmt.Fprintf(w, "        and %s\n", count(safe, "safe change"))
	}
	for _, harm := range r.Harms {
		fmt.Fprintln(w, "        breaks", harm)
	}
	for _, says := range r.Unjudged {
		fmt.Fprintln(w, "        unknown", says)
	}
}

// verdict says in a few words what a change of a CRD does to what lives.
func verdict(r *crdsafety.Report) string {
	switch {
	case r.Deleted:
		return "is deleted, and with it " + count(r.Objects, "live object")
	case r.Impossible():
		return "cannot change like this"
	case len(r.Harms) > 0:
		return fmt.Sprintf("breaks %d of %s", r.Broken(), count(r.Objects, "live object"))
	case len(r.Unjudged) > 0:
		return "may break what lives: nobody can tell beforehand"
	case r.Harmful():
		return "breaks programs that use it; it has " + count(r.Objects, "live object")
	case r.Looked:
		return fmt.Sprintf("changes; it breaks none of %s", count(r.Objects, "live object"))
	default:
		return "changes"
	}
}

// changedDefault is one key with everything the same, and how many releases it
// is about.
type changedDefault struct {
	text     string
	releases int
	deletes  []string
}

// defaultLines prints changed defaults.
func defaultLines(w io.Writer, p *rollout.Plan) {
	for _, chart := range changedDefaults(p) {
		fmt.Fprintf(w, "\nchanged defaults, %s:\n", chart.Heading)
		for _, line := range chart.Lines {
			fmt.Fprintln(w, "   ", line)
		}
	}
}

// changedDefaults tells changed defaults once for all releases that they are
// alike for, grouped by chart.
func changedDefaults(p *rollout.Plan) (out []pageList) {
	var order []string
	keys, index, releases := map[string][]*changedDefault{}, map[string]*changedDefault{}, map[string]int{}
	for _, step := range p.Steps {
		if step.Defaults == nil {
			continue
		}
		title := step.Defaults.From + " to " + step.Defaults.To
		if releases[title]++; releases[title] == 1 {
			order = append(order, title)
		}
		for _, key := range step.Defaults.Keys {
			text := defaultText(key)
			row := index[title+text]
			if row == nil {
				row = &changedDefault{text: text}
				index[title+text] = row
				keys[title] = append(keys[title], row)
			}
			row.releases++
			row.deletes = append(row.deletes, key.Deletes...)
		}
	}
	for _, title := range order {
		chart := pageList{Heading: title}
		for _, row := range keys[title] {
			text := row.text
			if len(row.deletes) > 0 {
				text += "; deletes " + few(row.deletes)
			}
			if row.releases < releases[title] {
				text += fmt.Sprintf(" (%s)", count(row.releases, "release"))
			}
			chart.Lines = append(chart.Lines, text)
		}
		out = append(out, chart)
	}
	return out
}

func defaultText(key rollout.DefaultChange) string {
	switch {
	case key.Gone && key.Maybe != "":
		return fmt.Sprintf("%s is no longer a key of the chart, but is set at %s; %s is new, maybe it is that now", key.Path, key.SetAt, key.Maybe)
	case key.Gone:
		return fmt.Sprintf("%s is no longer a key of the chart, but is set at %s", key.Path, key.SetAt)
	case key.SetAt != nil:
		return fmt.Sprintf("%s: %s to %s; without effect, it is set at %s", key.Path, short(key.Old), short(key.New), key.SetAt)
	default:
		return fmt.Sprintf("%s: %s to %s", key.Path, short(key.Old), short(key.New))
	}
}

// short is a value on one line.
func short(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	text := []rune(string(data))
	if len(text) > 60 {
		return string(text[:57]) + "..."
	}
	return string(text)
}

func few(names []string) string {
	const show = 3
	if len(names) <= show {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:show], ", "), len(names)-show)
}

// restartLines lists the workloads whose pods are replaced, alike ones once.
func restartLines(w io.Writer, p *rollout.Plan) {
	var restarts grouped
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			if change.Pods > 0 {
				restarts.add(change.Namespace, change.Kind+" "+change.Name, count(change.Pods, "pod"))
			}
		}
	}
	if len(restarts.order) > 0 {
		fmt.Fprintln(w, "\npods that restart:")
	}
	for _, line := range restarts.lines() {
		fmt.Fprintln(w, "   ", line)
	}
}

package report

import (
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var planTemplate = pageTemplate("page_plan.html")

// planBody is what a page says of a plan.
type planBody struct {
	Blocked   string
	Findings  pageList
	Ownership *pageTable
	Graph     template.HTML
	Steps     []pageStep
	Defaults  []pageList
}

// pageStep is one step on the page of a plan.
type pageStep struct {
	ID, Action, Class, Reason string
	// Details are the values that change, and what a change of CRDs does.
	Details string
	// Same is the step that does the same in another namespace, and is shown.
	Same    string
	Changes []pageChange
	Needs   string
}

// pageChange is one object on the page of a plan.
type pageChange struct {
	Line, Diff string
}

// PlanPage writes a plan as one page of HTML: whose objects it takes, its graph, the
// diffs of its objects, changed defaults, what the rules found, and what stands in
// the way. It needs no other file and no network. Commands adapts those that it
// suggests. The plan must have been made with its texts.
func PlanPage(w io.Writer, p *rollout.Plan, commands func(string) string, now time.Time) error {
	text := pageText{commands}
	owned := slices.Concat(p.Foreign(), p.Adoptions())
	body := planBody{
		Ownership: text.table("Objects that exist already, and whose they are", 1, ownershipHeader, ownershipCells(owned, "`"), func(row int) bool { return owned[row].Standing == rollout.Foreign }),
		Graph:     template.HTML(svg(p)), // svg escapes what it writes
		Steps:     text.steps(p),
	}
	whole := page{Title: Clean("Plan of fleet " + p.Fleet), Verdict: text.prose(planVerdict(p)), Well: true, Made: now.UTC()}
	if blocked := p.Blocked(); blocked != nil {
		body.Blocked, whole.Well = Clean(commands(blocked.Error())), false
	} else if p.Changes() {
		whole.Next = []string{text.command(p.Apply())}
	}
	body.Findings.Heading = "Findings"
	for _, f := range p.Findings {
		body.Findings.Lines = append(body.Findings.Lines, text.prose(f.String()))
	}
	for _, d := range changedDefaults(p) {
		body.Defaults = append(body.Defaults, pageList{Clean("Changed defaults, " + d.Heading), text.all(d.Lines)})
	}
	whole.Body = body
	return planTemplate.Execute(w, whole)
}

// steps shows the objects of steps that do the same in many namespaces once.
func (t pageText) steps(p *rollout.Plan) (out []pageStep) {
	shown := map[string]string{}
	for _, s := range p.Steps {
		step := pageStep{
			ID: Clean(s.ID), Action: string(s.Action), Class: styleOf(s).class, Reason: t.prose(s.Reason),
			Needs: Clean(strings.Join(s.Needs, ", ")),
		}
		var details strings.Builder
		valueLines(&details, s)
		kindLines(&details, s)
		step.Details = Clean(details.String())
		like := []string{step.Details}
		for _, c := range s.Changes {
			_, text, _ := strings.Cut(string(diff.Diff("live", []byte(c.Before), "wanted", []byte(c.After))), "\n")
			change := pageChange{Clean(strings.Join(changeLines(c), "\n")), Clean(text)}
			step.Changes = append(step.Changes, change)
			like = append(like, change.Line, change.Diff)
		}
		if len(s.Changes) > 0 && s.Key.Namespace != "" {
			key := wholeWord(strings.Join(like, "\n"), s.Key.Namespace, "NAMESPACE")
			if first := shown[key]; first != "" {
				step.Same, step.Details, step.Changes = first, "", nil
			} else {
				shown[key] = step.ID
			}
		}
		out = append(out, step)
	}
	return out
}

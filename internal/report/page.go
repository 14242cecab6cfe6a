package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

//go:embed page.html
var planPage string

// planTemplate escapes whatever comes from the cluster or a file; only the drawing,
// which is made here, is taken as it is.
var planTemplate = template.Must(template.New("plan").Parse(planPage))

// pageChange is one object on the page of a plan.
type pageChange struct {
	Line, Diff string
}

// pageStep is one step on the page of a plan.
type pageStep struct {
	ID, Action, Class, Reason string
	Changes                   []pageChange
}

// PlanPage writes a plan as one page of HTML, with its graph, the diffs of its
// objects, what the rules found, and what stands in the way. It needs no other file
// and no network. Commands adapts those that it suggests. The plan must have been
// made with its texts.
func PlanPage(w io.Writer, p *rollout.Plan, commands func(string) string) error {
	page := struct {
		Fleet, Verdict, Blocked, Next string
		Findings                      []string
		Graph                         template.HTML
		Steps                         []pageStep
	}{
		Fleet: Clean(p.Fleet), Verdict: Clean(planVerdict(p)),
		Graph: template.HTML(svg(p)), // svg escapes what it writes
	}
	if blocked := p.Blocked(); blocked != nil {
		page.Blocked = Clean(commands(blocked.Error()))
	} else if p.Changes() {
		page.Next = Clean(commands("Next: " + p.Apply()))
	}
	for _, f := range p.Findings {
		page.Findings = append(page.Findings, Clean(commands(f.String())))
	}
	for _, s := range p.Steps {
		step := pageStep{ID: Clean(s.ID), Action: string(s.Action), Class: styleOf(s).class, Reason: Clean(s.Reason)}
		for _, c := range s.Changes {
			_, text, _ := strings.Cut(string(diff.Diff("live", []byte(c.Before), "wanted", []byte(c.After))), "\n")
			step.Changes = append(step.Changes, pageChange{Clean(strings.Join(changeLines(c), "\n")), Clean(text)})
		}
		page.Steps = append(page.Steps, step)
	}
	return planTemplate.Execute(w, page)
}

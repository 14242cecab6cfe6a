package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// drawn has steps of every class, and texts that somebody may have put there to
// break out of a drawing.
func drawn() *rollout.Plan {
	p := upgrade()
	p.Steps = p.Steps[:2]
	crds := rollout.Step{ID: "release dynamo-system/dynamo-crds", Kind: rollout.StepRelease, Action: rollout.ActionUnchanged}
	p.Steps[0].Needs, p.Steps[1].Needs = []string{crds.ID}, []string{crds.ID, "namespace that is there"}
	p.Steps[1].Reason = `values changed: </details><script>alert("1")</script>`
	p.Steps[1].Changes[0].Before = "a: 1\nb: \"<script>\"\n"
	p.Steps[1].Changes[0].After = "a: 2\nb: \"<script>\"\n"
	gate := rollout.Step{ID: `gate "]<b>&` + team(1).String(), Kind: rollout.StepGate, Action: rollout.ActionWait, Needs: []string{p.Steps[1].ID}}
	gone := rollout.Step{ID: "release old/dynamo-platform", Kind: rollout.StepRelease, Action: rollout.ActionUninstall, Needs: []string{gate.ID}}
	p.Steps = append(p.Steps, gate, gone, crds)
	p.Findings = check.Findings{{Rule: "W-18", Severity: check.Warning, Page: "docs/rules.md", Problem: fleet.Problem{Message: "image of <b>latest</b>"}}}
	return p
}

func TestGoldenGraphs(t *testing.T) {
	for _, language := range []string{"mermaid", "dot", "svg"} {
		t.Run(language, func(t *testing.T) {
			var out bytes.Buffer
			if err := Graph(&out, drawn(), language); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "graph", "plan."+language), out.String())
			if language != "svg" {
				return
			}
			for decoder := xml.NewDecoder(&out); ; {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatalf("not a drawing: %v", err)
				}
			}
		})
	}
	if err := Graph(io.Discard, drawn(), "png"); err == nil {
		t.Error("png is drawn")
	}
}

// A loop, which no plan has, ends all the same.
func TestAGraphWithALoopIsDrawn(t *testing.T) {
	p := &rollout.Plan{Steps: []rollout.Step{{ID: "a", Needs: []string{"b"}}, {ID: "b", Needs: []string{"a"}}}}
	if err := Graph(io.Discard, p, "svg"); err != nil {
		t.Error(err)
	}
}

package check_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

// Every rule explains itself and shows, for each of its halves, what breaks it
// and what does not.
func TestRules(t *testing.T) {
	for _, rule := range check.Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			if rule.Says == "" || rule.Why == "" || rule.Find == nil && rule.Live == nil || (rule.Live == nil) != (len(rule.Needs) == 0) {
				t.Error("the rule is incomplete")
			}
			half := func(live bool) func(check.Example) bool {
				return func(e check.Example) bool { return (e.Cluster != nil) == live }
			}
			for _, live := range []bool{false, true} {
				exists := rule.Find != nil
				if live {
					exists = rule.Live != nil
				}
				if exists != slices.ContainsFunc(rule.Fails, half(live)) || exists != slices.ContainsFunc(rule.Passes, half(live)) {
					t.Errorf("examples of its half with a cluster (%v) are missing or too many", live)
				}
			}
			for _, example := range rule.Passes {
				for _, finding := range judge(t, rule, example) {
					t.Errorf("should pass:\n%s\n%s", fleetFile(example), finding)
				}
			}
			for _, example := range rule.Fails {
				findings := judge(t, rule, example)
				if len(findings) == 0 {
					t.Errorf("should fail:\n%s", fleetFile(example))
				}
				for _, finding := range findings {
					if finding.Severity != rule.Severity || finding.Message == "" || finding.Fix == "" && !says(rule) {
						t.Errorf("a finding without a fix, or of another severity: %s", finding)
					}
				}
			}
		})
	}
}

// says: a schema's own message tells what is allowed.
func says(rule check.Rule) bool { return rule.ID == "W-00" }

// TestRulesAreAllThere: C-01 to C-44 of the charts, once each.
func TestRulesAreAllThere(t *testing.T) {
	want := []string{"C-29a", "C-43a"}
	for n := 1; n <= 44; n++ {
		if n == 29 {
			continue // it is gone, and its number is not given again
		}
		want = append(want, fmt.Sprintf("C-%02d", n))
	}
	seen := map[string]int{}
	for _, rule := range check.Rules() {
		seen[rule.ID]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%d rules are called %s", n, id)
		}
	}
	for _, id := range want {
		if seen[id] == 0 {
			t.Errorf("rule %s is missing", id)
		}
	}
}

// A fact that cannot be read is a note, and stops nothing.
func TestWhatCannotBeReadIsANote(t *testing.T) {
	in := resolved(t, check.Example{Fleet: "platforms: [{namespace: team-a}]", Cluster: &check.Cluster{
		Unknown: map[check.Fact]string{check.FactOperators: "you may not list deployments"},
	}})
	findings := check.Live(in)
	if len(findings) != 1 || findings.Err() != nil {
		t.Fatalf("got %v", findings)
	}
	if got, want := findings[0].String(), "note: not checked: you may not list deployments [C-20, C-34, W-29]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

package rollout

import (
	"bytes"
	"strings"
	"testing"
)

// What a person has read in the file is what is executed: nothing of it can be
// changed, the options and the part for people included.
func TestASavedPlanIsBoundAsAWhole(t *testing.T) {
	plan := mustPlan(t, &Snapshot{Targets: []Target{platform("a")}})
	saved, err := SavePlan(plan, PlanOptions{}, "fleet.yaml", "https://here", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	data, err := saved.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPlan(data); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPlan(bytes.ReplaceAll(data, []byte("\n  "), []byte(" "))); err != nil {
		t.Errorf("laid out differently: %v", err)
	}
	for name, edit := range map[string][2]string{
		"an option":            {`"options": {`, `"options": {"noWait": true,`},
		"the readable part":    {`"reason": "not installed"`, `"reason": "harmless"`},
		"a field of its own":   {`"version"`, `"note": "reviewed", "version"`},
		"what it was made for": {`https://here`, `https://there`},
		"the sum":              {`"sum": "`, `"sum": "0`},
	} {
		edited := strings.Replace(string(data), edit[0], edit[1], 1)
		if edited == string(data) {
			t.Fatalf("%s: nothing to edit in\n%s", name, data)
		}
		if _, err := ReadPlan([]byte(edited)); err == nil || !strings.Contains(err.Error(), "was edited after the plan was saved") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

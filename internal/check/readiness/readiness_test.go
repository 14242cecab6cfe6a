package readiness

import (
	"strings"
	"testing"
)

func TestRulesJudgeLiveObjects(t *testing.T) {
	object := map[string]any{
		"metadata": map[string]any{"generation": int64(3)},
		"status":   map[string]any{"phase": "Working", "observedGeneration": int64(3), "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}},
	}
	for expression, want := range map[string]struct {
		ready   bool
		message string
	}{
		`self.status.phase == "Working"`: {ready: true},
		`self.status.phase == "Done"`:    {message: `is false (phase: Working)`},
		`self.status.observedGeneration == self.metadata.generation && self.status.conditions.exists(c, c.type == "Ready")`: {ready: true},
		`self.status.missing == 1`:                             {message: "no such key: missing"},
		`has(self.status.missing) && self.status.missing == 1`: {message: "is false"},
		`self.status.phase`:                                    {message: "is Working"},
		`[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, [1,2,3].all(d, [1,2,3].all(e, [1,2,3].all(f, [1,2,3].all(g, a+b+c>0)))))))`: {ready: true},
	} {
		rule, err := Of(map[string]string{WhenAnnotation: expression})
		if err != nil {
			t.Fatal(err)
		}
		ready, message := rule.Ready(object)
		if ready != want.ready || !strings.Contains(message, want.message) {
			t.Errorf("%s: got %v %q, want %v %q", expression, ready, message, want.ready, want.message)
		}
	}
}

func TestWrongRulesSayWhatIsWrong(t *testing.T) {
	for expression, want := range map[string]string{
		`self.status.phase = "x"`: "Syntax error",
		`object.status`:           "undeclared reference to 'object'",
		`1 + 1`:                   "it is of type int, not bool",
	} {
		_, err := Of(map[string]string{WhenAnnotation: expression})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s", expression, err, want)
		}
	}
	if rule, err := Of(map[string]string{OptionalAnnotation: "true"}); rule != nil || err != nil {
		t.Errorf("got %v %v for none", rule, err)
	}
}

// An expression cannot keep a rollout busy for ever.
func TestExpressionsAreBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", 99) + "1]"
	rule, err := Of(map[string]string{WhenAnnotation: list + ".all(a, " + list + ".all(b, " + list + ".all(c, a+b+c > 0)))"})
	if err != nil {
		t.Fatal(err)
	}
	if ready, message := rule.Ready(nil); ready || !strings.Contains(message, "cost limit") {
		t.Errorf("got %v %q", ready, message)
	}
}

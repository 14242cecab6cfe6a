package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPatience(t *testing.T) {
	waiting := metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Waiting", Message: "0/1 ready"}
	starting, ready := waiting, waiting
	starting.Message = "0/1 ready: it starts"
	ready.Status = metav1.ConditionTrue
	of := func(conditions ...metav1.Condition) []metav1.Condition { return conditions }
	for name, tc := range map[string]struct {
		before, after []metav1.Condition
		want          time.Duration
	}{
		"a new object":       {nil, of(waiting), settle},
		"another message":    {of(waiting), of(starting), settle},
		"turned":             {of(waiting), of(ready), 0},
		"one more condition": {of(waiting), of(waiting, ready), 0},
		"counts alone":       {of(waiting), of(waiting), settleCounts},
		"no conditions":      {nil, nil, settle},
	} {
		t.Run(name, func(t *testing.T) {
			if got := patience(tc.before, tc.after); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

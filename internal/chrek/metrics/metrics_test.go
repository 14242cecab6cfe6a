package metrics

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func page(t *testing.T) string {
	t.Helper()
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// value is what a series has on a page, 0 if it is not there.
func value(t *testing.T, page, series string) float64 {
	t.Helper()
	for line := range strings.Lines(page) {
		if text, found := strings.CutPrefix(line, series+" "); found {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// TestWhatIsCountedIsServed: under names and labels for which the chart's dashboard asks.
func TestWhatIsCountedIsServed(t *testing.T) {
	before := page(t)
	end := Begin(Checkpoint)
	if got := page(t); value(t, got, `chrek_agent_operations_in_progress{operation="checkpoint"}`) != 1 {
		t.Errorf("a checkpoint goes on, and is not to be seen:\n%s", got)
	}
	end(Ended{Reason: "Stored", Memory: 3 << 20, Phases: map[string]time.Duration{"dump": time.Second}})
	Begin(Restore)(Ended{Reason: "Incompatible", Fact: "kernel"})
	Begin(Restore)(Ended{}) // nothing was decided
	Removed()
	Checked("criu", true, false)
	Checked("arch", false, true)

	got := page(t)
	for series, more := range map[string]float64{
		`chrek_agent_operations_in_progress{operation="checkpoint"}`:                              0,
		`chrek_agent_operations_in_progress{operation="restore"}`:                                 0,
		`chrek_agent_operation_duration_seconds_count{operation="checkpoint",reason="Stored"}`:    1,
		`chrek_agent_operation_duration_seconds_count{operation="restore",reason="Incompatible"}`: 1,
		`chrek_agent_phase_duration_seconds_sum{operation="checkpoint",phase="dump"}`:             1,
		`chrek_agent_memory_bytes_total{operation="checkpoint"}`:                                  3 << 20,
		`chrek_agent_memory_bytes_total{operation="restore"}`:                                     0,
		`chrek_agent_restore_refusals_total{fact="kernel"}`:                                       1,
		`chrek_agent_checkpoints_removed_total`:                                                   1,
	} {
		if grown := value(t, got, series) - value(t, before, series); grown != more || !strings.Contains(got, series+" ") {
			t.Errorf("%s has grown by %v, want %v:\n%s", series, grown, more, got)
		}
	}
	for series, want := range map[string]float64{
		`chrek_agent_preflight_passed{check="criu",required="true"}`:  0,
		`chrek_agent_preflight_passed{check="arch",required="false"}`: 1,
	} {
		if is := value(t, got, series); is != want || !strings.Contains(got, series+" ") {
			t.Errorf("%s is %v, want %v:\n%s", series, is, want, got)
		}
	}
	if strings.Contains(got, `reason=""`) {
		t.Errorf("what was not decided was counted:\n%s", got)
	}

	asked, err := os.ReadFile("../../../test/chrek/testdata/asked.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(asked)) {
		name, labels, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !serves(got, name, strings.Split(labels, ",")) {
			t.Errorf("no series %s with labels %s", name, labels)
		}
	}
}

// added is the label that Prometheus adds to what it scrapes.
const added = "namespace"

func serves(page, name string, labels []string) bool {
	for line := range strings.Lines(page) {
		series, found := strings.CutPrefix(line, name)
		if !found || series[0] != '{' && series[0] != ' ' {
			continue
		}
		all := true
		for _, label := range labels {
			all = all && (label == added || strings.Contains(series, "{"+label+`="`) || strings.Contains(series, ","+label+`="`))
		}
		if all {
			return true
		}
	}
	return false
}

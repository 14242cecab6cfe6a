// Package promql reads the queries of the charts' alerts and dashboards as Prometheus
// does.
package promql

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const (
	alerts   = "../../charts/platform/components/operator/files/alerts.yaml"
	document = "../../docs/metrics.md"
)

// asked are the lists of series that the queries of a dashboard ask for, and of the alerts
// with the operator's. The tests of who serves them find each there.
var asked = map[string]string{
	"../../charts/platform/components/operator/files/dashboard.json": "../../test/webhook/testdata/asked.txt",
	"../../charts/chrek/files/dashboard.json":                        "../../test/chrek/testdata/asked.txt",
}

var update = flag.Bool("update", false, "update the golden file")

type group struct {
	Name  string `json:"name"`
	Rules []struct {
		Alert       string            `json:"alert"`
		Expr        string            `json:"expr"`
		For         string            `json:"for"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"rules"`
}

func groups(t *testing.T) []group {
	t.Helper()
	data, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var found []group
	if err := yaml.UnmarshalStrict(data, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestQueriesAskForWhatIsServed parses every query, and holds the series and labels
// that they ask for to a list.
func TestQueriesAskForWhatIsServed(t *testing.T) {
	for dashboard, list := range asked {
		series := map[string]map[string]bool{}
		if filepath.Dir(dashboard) == filepath.Dir(alerts) {
			for _, g := range groups(t) {
				for _, rule := range g.Rules {
					ask(t, rule.Alert, rule.Expr, series)
				}
			}
		}
		askBoard(t, dashboard, series)
		hold(t, list, series)
	}
}

func askBoard(t *testing.T, dashboard string, series map[string]map[string]bool) {
	t.Helper()
	data, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			ask(t, panel.Title, target.Expr, series)
		}
	}
}

func hold(t *testing.T, list string, series map[string]map[string]bool) {
	t.Helper()
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintln(&lines, name, strings.Join(slices.Sorted(maps.Keys(series[name])), ","))
	}
	if *update {
		if err := os.WriteFile(list, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if lines.String() != string(want) {
		t.Errorf("the queries ask for\n%s\nand %s says\n%s\nrun `make golden`", &lines, list, want)
	}
}

// ask adds the series of a query with the labels by which it asks, groups or sums.
func ask(t *testing.T, where, query string, series map[string]map[string]bool) {
	t.Helper()
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return
	}
	var by []string
	var names []string
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.AggregateExpr:
			by = append(by, node.Grouping...)
		case *parser.VectorSelector:
			names = append(names, node.Name)
			if series[node.Name] == nil {
				series[node.Name] = map[string]bool{}
			}
			for _, matcher := range node.LabelMatchers {
				if matcher.Name != "__name__" {
					series[node.Name][matcher.Name] = true
				}
			}
		}
		return nil
	})
	if len(names) == 0 {
		t.Errorf("%s asks for no series: %s", where, query)
	}
	for _, name := range names {
		for _, label := range by {
			series[name][label] = true
		}
	}
}

// TestAlertsSayWhatToDo: each has how long and how grave, and a row in the document.
func TestAlertsSayWhatToDo(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	duration := regexp.MustCompile(`^[0-9]+[mh]$`)
	for _, g := range groups(t) {
		for _, rule := range g.Rules {
			if !duration.MatchString(rule.For) || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s lacks for, severity, summary or description", rule.Alert)
			}
			if !strings.Contains(string(page), "| `"+rule.Alert+"` |") {
				t.Errorf("%s has no row for %s", document, rule.Alert)
			}
		}
	}
}

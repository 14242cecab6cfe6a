//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// mistake is a graph with one, and what its author must be told.
type mistake struct {
	name, file, graph, cause, fix string
	// told is what was said, where, and how long after it was applied.
	told, where string
	begun       time.Time
	took        time.Duration
}

var (
	expected  = regexp.MustCompile(`(?m)^# (cause|fix): (.+)$`)
	graphName = regexp.MustCompile(`(?m)^  name: (.+)$`)
)

// mistakes applies each graph of testdata/mistakes and prints how long it takes
// until the author reads what is wrong and what to do: kubectl says so at once,
// or the graph's Ready condition does.
func mistakes(t *testing.T) {
	const namespace = "team-b"
	all := readMistakes(t)
	waiting := map[string]*mistake{}
	look := func() error {
		for graph, message := range readyMessages(t, namespace) {
			if m := waiting[graph]; m != nil {
				if m.told = message; m.understood() {
					m.took = time.Since(m.begun)
					delete(waiting, graph)
				}
			}
		}
		for _, m := range waiting {
			return fmt.Errorf("%s: want %q and %q in %q", m.name, m.cause, m.fix, m.told)
		}
		return nil
	}
	for _, m := range all {
		m.begun, m.where = time.Now(), "status"
		if _, err := command("kubectl", "apply", "-n", namespace, "-f", m.file); err != nil {
			m.told, m.where, m.took = err.Error(), "at the door", time.Since(m.begun)
			continue
		}
		waiting[m.graph] = m
		_ = look()
	}
	eventually(t, 90*time.Second, look)
	printMistakes(t, all)
	for _, m := range all {
		if !m.understood() {
			t.Errorf("%s: want %q and %q in %q", m.name, m.cause, m.fix, m.told)
		}
		if m.where == "status" {
			run(t, "kubectl", "delete", "-n", namespace, "--wait=false", "dynamographdeployment/"+m.graph)
		}
	}
}

func (m *mistake) understood() bool {
	return strings.Contains(m.told, m.cause) && strings.Contains(m.told, m.fix)
}

func readMistakes(t *testing.T) (all []*mistake) {
	t.Helper()
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		m := &mistake{name: strings.TrimSuffix(filepath.Base(file), ".yaml"), file: absolute, graph: graphName.FindStringSubmatch(string(data))[1]}
		for _, found := range expected.FindAllStringSubmatch(string(data), -1) {
			*map[string]*string{"cause": &m.cause, "fix": &m.fix}[found[1]] = found[2]
		}
		all = append(all, m)
	}
	return all
}

// readyMessages is what the graphs of a namespace say of themselves.
func readyMessages(t *testing.T, namespace string) map[string]string {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status, Message string }
			}
		}
	}
	if err := json.Unmarshal([]byte(run(t, "kubectl", "get", "dynamographdeployments", "-n", namespace, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	messages := map[string]string{}
	for _, item := range list.Items {
		for _, condition := range item.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "False" {
				messages[item.Metadata.Name] = condition.Message
			}
		}
	}
	return messages
}

func printMistakes(t *testing.T, all []*mistake) {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "MISTAKE\tSECONDS\tSAID\tCAUSE\tFIX")
	for _, m := range all {
		fmt.Fprintf(w, "%s\t%.1f\t%s\t%t\t%t\n", m.name, m.took.Seconds(), m.where, strings.Contains(m.told, m.cause), strings.Contains(m.told, m.fix))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
}

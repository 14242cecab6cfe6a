package check_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var update = flag.Bool("update", false, "write docs/rules")

const pages = "../../docs/rules"

// The pages of docs/rules are written from the rules; `make golden` writes them.
func TestGoldenPages(t *testing.T) {
	want := map[string]string{"README.md": index(t)}
	for _, rule := range check.Rules() {
		want[rule.ID+".md"] = page(t, rule)
	}
	have, err := filepath.Glob(pages + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		if _, known := want[filepath.Base(path)]; known {
			continue
		}
		if !*update {
			t.Errorf("%s is of no rule: run `make golden`", path)
		} else if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(pages, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if data, err := os.ReadFile(path); err != nil && !os.IsNotExist(err) || string(data) != text {
			t.Errorf("%s is stale: run `make golden`", path)
		}
	}
}

func index(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Rules

What ` + "`wheelhouse validate`, `plan` and `apply`" + ` check before anything is written. An error stops the rollout, a warning is printed, and
what a missing permission hides becomes a note. *Offline* rules look at the fleet file, its values and the rendered objects; *live* ones at
the cluster. The C-rules say what the charts, the operator, the agent and the cluster must agree on; the W-rules are about the fleet itself.
` + "`wheelhouse rules`" + ` prints this table, and ` + "`wheelhouse rules C-19`" + ` one page.

Written from the rules in internal/check by ` + "`make golden`" + `.

| rule | severity | when | says |
|---|---|---|---|
`)
	rules := slices.SortedFunc(slices.Values(check.Rules()), func(a, b check.Rule) int { return strings.Compare(a.ID, b.ID) })
	for _, rule := range rules {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s |\n", rule.ID, rule.ID, rule.Severity, when(rule), strings.ReplaceAll(rule.Says, "|", `\|`))
	}
	return b.String()
}

func when(rule check.Rule) string {
	switch {
	case rule.Live == nil:
		return "offline"
	case rule.Find == nil:
		return "live"
	default:
		return "offline, live"
	}
}

func page(t *testing.T, rule check.Rule) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", rule.ID, rule.Says)
	fmt.Fprintf(&b, "**Severity:** %s. **Checked:** %s", rule.Severity, when(rule))
	if len(rule.Needs) > 0 {
		names := make([]string, len(rule.Needs))
		for i, fact := range rule.Needs {
			names[i] = string(fact)
		}
		fmt.Fprintf(&b, "; reads from the cluster: %s", strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, ".\n\n## Why\n\n%s\n", wrap(rule.Why))
	if rule.Fix != "" {
		fmt.Fprintf(&b, "\n## Fix\n\n%s\n", wrap(sentence(rule.Fix)))
	}
	b.WriteString("\n## Fails\n")
	for _, example := range rule.Fails {
		b.WriteString(show(t, example) + "\nsays:\n\n```\n" + said(judge(t, rule, example)) + "```\n")
	}
	b.WriteString("\n## Passes\n")
	for _, example := range rule.Passes {
		b.WriteString(show(t, example))
	}
	return b.String()
}

// said is what `wheelhouse validate` prints, wrapped.
func said(findings check.Findings) string {
	var b strings.Builder
	indented := func(text string) { b.WriteString("    " + strings.ReplaceAll(wrap(text), "\n", "\n    ") + "\n") }
	for _, f := range findings {
		at := f.Origin.String()
		if f.Origin.Layer == fleet.LayerDefaults {
			at = f.Origin.File // whose lines move with every new key
		}
		if at == "" {
			at = "(cluster)"
		}
		fmt.Fprintf(&b, "%s  %s %s\n", at, f.Severity, f.Rule)
		indented(f.Message)
		if f.Fix != "" {
			indented("Fix: " + f.Fix)
		}
	}
	return b.String()
}

func show(t *testing.T, e check.Example) string {
	t.Helper()
	var b strings.Builder
	block := func(title, text string) { fmt.Fprintf(&b, "\n%s\n\n```yaml\n%s```\n", title, cut(text)) }
	block("`fleet.yaml`", fleetFile(e))
	if e.Sealed != "" {
		block("with `sealed.yaml`, encrypted by SOPS, in which stands", e.Sealed)
	}
	for _, path := range slices.Sorted(maps.Keys(e.Files)) {
		block("with `charts/"+path+"`", e.Files[path])
	}
	for _, image := range slices.Sorted(maps.Keys(e.Images)) {
		block("and a registry that says", e.Images[image])
	}
	for _, image := range slices.Sorted(maps.Keys(e.Signatures)) {
		why := e.Signatures[image]
		if why == "" {
			why = "is locked, with its signature"
		}
		block("where the image must be signed", image+" "+why)
	}
	if e.Cluster != nil {
		data, err := yaml.Marshal(e.Cluster)
		if err != nil {
			t.Fatal(err)
		}
		block("in a cluster of which is known", string(data))
	}
	return b.String()
}

// cut shortens lines that are long for the sake of being long.
func cut(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 400 {
			line = fmt.Sprintf("%s... (%d characters)\n", line[:80], len(line))
		}
		b.WriteString(line)
	}
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
	return b.String()
}

func sentence(s string) string {
	if s == "" || strings.HasPrefix(s, "`") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func wrap(text string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case width+1+len(word) > 130:
			b.WriteString("\n")
			width = 0
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

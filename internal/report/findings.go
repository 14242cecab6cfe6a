package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

// Findings prints what rules found, one block each: the place, what is wrong,
// what to do, and where the rule is explained.
func Findings(w io.Writer, findings check.Findings) error {
	for _, f := range findings {
		at := f.Origin.String()
		if at == "" {
			at = "(cluster)"
		}
		if _, err := fmt.Fprintf(w, "%s  %s %s\n    %s\n", at, f.Severity, f.Rule, f.Message); err != nil {
			return err
		}
		if f.Fix != "" && f.Severity != check.Note {
			if _, err := fmt.Fprintf(w, "    Fix:  %s\n", f.Fix); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "    More: %s\n", more(f)); err != nil {
			return err
		}
	}
	return nil
}

// more is where a finding is explained.
func more(f check.Finding) string {
	if strings.HasPrefix(f.Page, "docs/rules/") && !strings.Contains(f.Rule, ",") {
		return "wheelhouse rules " + f.Rule
	}
	return f.Page
}

// Count writes a number of things: "1 error", "2 errors".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// state says something of a number of things: "1 pod is replaced".
func state(n int, what, one, many string) string {
	if n == 1 {
		many = one
	}
	return Count(n, what) + " " + many
}

// Others prints who else is in a cluster: operators, what the platform meets,
// who answers and defines its kinds. Nobody (nil) prints nothing.
func Others(w io.Writer, c *check.Cluster) error {
	if c == nil {
		return nil
	}
	if len(c.Operators) > 0 {
		rows := make([][]string, 0, len(c.Operators))
		for _, o := range c.Operators {
			rows = append(rows, []string{orDash(o.Release.Name), o.Release.Namespace, o.Scope, orDash(o.Version), o.Found})
		}
		if err := tableAndGap(w, []string{"OPERATOR OF RELEASE", "NAMESPACE", "SCOPE", "VERSION", "FOUND BY"}, rows); err != nil {
			return err
		}
	}
	rows := surroundings(c)
	if len(rows) == 0 {
		return nil
	}
	return tableAndGap(w, []string{"ALSO IN THE CLUSTER", "OF RELEASE", "NAMESPACE", "FOUND BY"}, rows)
}

func tableAndGap(w io.Writer, header []string, rows [][]string) error {
	if err := Table(w, header, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func surroundings(c *check.Cluster) (rows [][]string) {
	for _, i := range c.Installations {
		rows = append(rows, []string{i.Program, orDash(i.Release.Name), orDash(i.Release.Namespace), i.Found})
	}
	for _, d := range c.CRDs {
		rows = append(rows, []string{"CRD", orDash(d.Release.Name), orDash(d.Release.Namespace), d.Name})
	}
	for _, h := range c.Webhooks {
		what := strings.ToLower(strings.TrimSuffix(h.Kind, "WebhookConfiguration")) + " webhook"
		rows = append(rows, []string{what, orDash(h.Release.Name), orDash(h.Release.Namespace), h.Kind + " " + h.Name})
	}
	return rows
}

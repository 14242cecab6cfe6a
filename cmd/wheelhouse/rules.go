package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/docs"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

func (a *app) newRules() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "rules [ID...]",
		Short: "List the rules that a fleet is checked against, or explain some",
		Example: `  wheelhouse rules
  wheelhouse rules C-19
  wheelhouse rules -o json`,
		ValidArgsFunction: ruleIDs,
		RunE: func(_ *cobra.Command, ids []string) error {
			if err := oneOf("output", output, "text", "json"); err != nil {
				return err
			}
			for i := range ids {
				ids[i] = strings.ToUpper(ids[i])
			}
			if len(ids) == 0 || output == "json" {
				return a.listRules(ids, output)
			}
			for _, id := range ids {
				page, err := fs.ReadFile(docs.Rules, "rules/"+id+".md")
				if err != nil {
					return unknownRule(id)
				}
				fmt.Fprintf(a.out, "%s", page)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// ruleRow is a rule as it is listed.
type ruleRow struct {
	ID       string         `json:"id"`
	Severity check.Severity `json:"severity"`
	Says     string         `json:"says"`
	Why      string         `json:"why,omitempty"`
	Fix      string         `json:"fix,omitempty"`
}

// listRules lists some rules, all if none is named.
func (a *app) listRules(ids []string, output string) error {
	rows := []ruleRow{}
	for _, rule := range check.Rules() {
		if len(ids) == 0 || slices.Contains(ids, rule.ID) {
			rows = append(rows, ruleRow{rule.ID, rule.Severity, rule.Says, rule.Why, rule.Fix})
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(rows, func(r ruleRow) bool { return r.ID == id }) {
			return unknownRule(id)
		}
	}
	slices.SortFunc(rows, func(a, b ruleRow) int { return strings.Compare(a.ID, b.ID) })
	if output == "json" {
		return report.JSON(a.out, rows)
	}
	var cells [][]string
	for _, row := range rows {
		cells = append(cells, []string{row.ID, string(row.Severity), row.Says})
	}
	return report.Table(a.out, []string{"RULE", "SEVERITY", "SAYS"}, cells)
}

func unknownRule(id string) error {
	var known []string
	for _, rule := range check.Rules() {
		known = append(known, rule.ID)
	}
	if meant := spelling.Closest(id, known); meant != "" {
		return fmt.Errorf("there is no rule %q; did you mean %q?", id, meant)
	}
	return fmt.Errorf("there is no rule %q; `wheelhouse rules` lists them", id)
}

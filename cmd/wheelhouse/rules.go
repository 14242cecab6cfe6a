package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/docs"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

func (a *app) newRules() *cobra.Command {
	return &cobra.Command{
		Use:   "rules [ID...]",
		Short: "List the rules that a fleet is checked against, or explain some",
		Example: `  wheelhouse rules
  wheelhouse rules C-19`,
		RunE: func(_ *cobra.Command, ids []string) error {
			if len(ids) == 0 {
				return a.listRules()
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
}

func (a *app) listRules() error {
	var rows [][]string
	for _, rule := range check.Rules() {
		rows = append(rows, []string{rule.ID, string(rule.Severity), rule.Says})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return report.Table(a.out, []string{"RULE", "SEVERITY", "SAYS"}, rows)
}

func unknownRule(id string) error {
	var known []string
	for _, rule := range check.Rules() {
		known = append(known, rule.ID)
	}
	if meant := fleet.Closest(id, known); meant != "" {
		return fmt.Errorf("there is no rule %q; did you mean %q?", id, meant)
	}
	return fmt.Errorf("there is no rule %q; `wheelhouse rules` lists them", id)
}

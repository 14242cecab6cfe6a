package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// completionPatience bounds what a key press may cost.
const completionPatience = 3 * time.Second

// completeValues offers what flags may be: namespaces, waves and charts of the
// fleet, revisions of the set.
func (a *app) completeValues(root *cobra.Command) {
	offers := map[string]func(context.Context) []string{
		"namespace": func(context.Context) []string { return a.known(rollout.Identity.Namespaces) },
		"wave": func(context.Context) []string {
			return a.known(func(id rollout.Identity) []string { return id.Set.Waves })
		},
		"to":         a.revisions,
		"chart":      func(context.Context) []string { return fleet.ChartKeys },
		"on-failure": func(context.Context) []string { return []string{onFailureKeep, onFailureRollback} },
	}
	visit(root, func(c *cobra.Command) {
		for name, offer := range offers {
			if f := c.Flags().Lookup(name); f == nil || name == "to" && c.Name() != "rollback" {
				continue
			}
			_ = c.RegisterFlagCompletionFunc(name, func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
				ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
				defer cancel()
				return offer(ctx), cobra.ShellCompDirectiveNoFileComp
			})
		}
	})
}

// known offers something of the fleet's identity, on whichever cluster; nothing if
// there is no file.
func (a *app) known(of func(rollout.Identity) []string) (out []string) {
	source := a.source(nil)
	contexts := fleet.Contexts(source.Files, source.File)
	if source.Context != "" || len(contexts) == 0 {
		contexts = []string{source.Context}
	}
	for _, source.Context = range contexts {
		id, err := rollout.Identify(source)
		if err != nil {
			return nil
		}
		out = append(out, slices.DeleteFunc(of(id), func(text string) bool { return text == "" || slices.Contains(out, text) })...)
	}
	return out
}

// connectQuietly is for what is nice to have: nil where there is no fleet file, or
// no cluster that answers.
func (a *app) connectQuietly(ctx context.Context) *manager.Manager {
	id, err := rollout.Identify(a.source(nil))
	if err != nil {
		return nil
	}
	m, err := a.connect(ctx, subject{Identity: id})
	if err != nil {
		return nil
	}
	return m
}

// revisions offers those that can be returned to, newest first.
func (a *app) revisions(ctx context.Context) []string {
	m := a.connectQuietly(ctx)
	if m == nil {
		return nil
	}
	defer m.Close()
	all, err := m.History(ctx)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range slices.Backward(all) {
		if r.Status == rollout.RevisionDone {
			out = append(out, fmt.Sprintf("%d\t%s, %s", r.Number, r.Description, r.Started.Format(time.DateTime)))
		}
	}
	return out
}

// ruleIDs offers the rules.
func ruleIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, rule := range check.Rules() {
		out = append(out, rule.ID+"\t"+rule.Says)
	}
	slices.Sort(out)
	return out, cobra.ShellCompDirectiveNoFileComp
}

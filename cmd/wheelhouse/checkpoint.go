package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/agents"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

// checkpoints is what the commands below `checkpoint` share.
type checkpoints struct {
	*app
	namespace, output string
}

func (a *app) newCheckpoint() *cobra.Command {
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: "Look at the checkpoints of workers that agents have stored",
		Long: `Look at the checkpoints of workers that agents have stored. An agent is asked, by a
program in its pod: whoever has the right pods/exec in its namespace may do so.`,
		Example: "  wheelhouse checkpoint ls -n team-a-platform",
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.newCheckpointLs(), a.newCheckpointInspect(), a.newCheckpointVerify(), a.newCheckpointDiff(), a.newCheckpointRm())
	return c
}

// checkpointCommand makes one of them. Formats are those of -o, the first by default.
func (a *app) checkpointCommand(use, short, example string, args cobra.PositionalArgs, formats []string, run func(context.Context, *checkpoints, []string) error) *cobra.Command {
	of := &checkpoints{app: a}
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(c *cobra.Command, ids []string) error {
			if err := oneOf("output", of.output, formats...); err != nil {
				return err
			}
			if of.namespace == "" {
				return fmt.Errorf("--namespace is missing: name the namespace of the release of chrek, such as team-a-platform")
			}
			return run(c.Context(), of, ids)
		},
	}
	c.Flags().StringVarP(&of.namespace, "namespace", "n", "", "the namespace of the agents")
	c.Flags().StringVarP(&of.output, "output", "o", formats[0], strings.Join(formats, " or "))
	return c
}

// ask has an agent do something, and reads its answer.
func (c *checkpoints) ask(ctx context.Context, answer any, args ...string) error {
	found, err := agents.Connect(ctx, c.kube, c.namespace)
	if err != nil {
		return err
	}
	said, err := found.Ask(ctx, append([]string{"artifacts"}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(said, answer); err != nil {
		return fmt.Errorf("the agent in namespace %s does not answer as this version of wheelhouse expects: %w", c.namespace, err)
	}
	return nil
}

// find returns those artifacts, in that order.
func (c *checkpoints) find(ctx context.Context, ids []string) ([]artifact.Entry, error) {
	var all, found []artifact.Entry
	if err := c.ask(ctx, &all, "list"); err != nil {
		return nil, err
	}
	for _, id := range ids {
		i := slices.IndexFunc(all, func(e artifact.Entry) bool { return e.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("there is no checkpoint %q in namespace %s; `wheelhouse checkpoint ls -n %s` lists them", id, c.namespace, c.namespace)
		}
		found = append(found, all[i])
	}
	return found, nil
}

func (a *app) newCheckpointLs() *cobra.Command {
	return a.checkpointCommand("ls", "List what is stored, and who needs it", "  wheelhouse checkpoint ls -n team-a-platform", cobra.NoArgs, []string{"table", "json"},
		func(ctx context.Context, c *checkpoints, _ []string) error {
			all := []artifact.Entry{}
			if err := c.ask(ctx, &all, "list"); err != nil {
				return err
			}
			if c.output == "json" {
				return report.JSON(c.out, all)
			}
			return report.CheckpointTable(c.people(), all)
		})
}

func (a *app) newCheckpointInspect() *cobra.Command {
	return a.checkpointCommand("inspect ID", "Say all that is known of one", "  wheelhouse checkpoint inspect 73e74442beb109ed -n team-a-platform", cobra.ExactArgs(1), []string{"table", "json"},
		func(ctx context.Context, c *checkpoints, ids []string) error {
			found, err := c.find(ctx, ids)
			if err != nil {
				return err
			}
			if c.output == "json" {
				return report.JSON(c.out, found[0])
			}
			return report.CheckpointFacts(c.people(), found[0])
		})
}

func (a *app) newCheckpointVerify() *cobra.Command {
	return a.checkpointCommand("verify ID...", "Read all files of some, and hold them against their digests", "  wheelhouse checkpoint verify 73e74442beb109ed -n team-a-platform", cobra.MinimumNArgs(1), []string{"table", "json"},
		func(ctx context.Context, c *checkpoints, ids []string) error {
			all := []artifact.Entry{}
			if err := c.ask(ctx, &all, append([]string{"verify"}, ids...)...); err != nil {
				return err
			}
			var err error
			if c.output == "json" {
				err = report.JSON(c.out, all)
			} else {
				err = report.CheckpointTable(c.people(), all)
			}
			if err == nil && slices.ContainsFunc(all, func(e artifact.Entry) bool { return e.Problem != "" }) {
				return quietError(1)
			}
			return err
		})
}

func (a *app) newCheckpointDiff() *cobra.Command {
	return a.checkpointCommand("diff ID ID", "Say in which facts and files two differ", "  wheelhouse checkpoint diff 73e74442beb109ed 73e74442beb109ed-0a1b2c3d -n team-a-platform", cobra.ExactArgs(2), []string{"table", "json"},
		func(ctx context.Context, c *checkpoints, ids []string) error {
			found, err := c.find(ctx, ids)
			if err != nil {
				return err
			}
			differ := report.CheckpointDifferences(found[0], found[1])
			if c.output == "json" {
				err = report.JSON(c.out, differ)
			} else if len(differ) > 0 {
				err = report.CheckpointDifferenceTable(c.people(), ids[0], ids[1], differ)
			}
			if err == nil && len(differ) > 0 {
				return quietError(2)
			}
			return err
		})
}

func (a *app) newCheckpointRm() *cobra.Command {
	return a.checkpointCommand("rm ID...", "Remove some that no DynamoCheckpoint and no pod needs", "  wheelhouse checkpoint rm 73e74442beb109ed -n team-a-platform", cobra.MinimumNArgs(1), []string{"text", "json"},
		func(ctx context.Context, c *checkpoints, ids []string) error {
			removed := []string{}
			if err := c.ask(ctx, &removed, append([]string{"remove"}, ids...)...); err != nil {
				return err
			}
			if c.output == "json" {
				return report.JSON(c.out, removed)
			}
			_, err := fmt.Fprintf(c.people(), "removed: %s\n", strings.Join(removed, ", "))
			return err
		})
}

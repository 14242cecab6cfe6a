package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type validateFlags struct {
	output, kube string
	images       bool
}

// verdict is what validate says of a fleet file.
type verdict struct {
	File     string         `json:"file"`
	Valid    bool           `json:"valid"`
	Releases int            `json:"releases,omitempty"`
	Objects  int            `json:"objects,omitempty"`
	Findings check.Findings `json:"findings"`
}

func (a *app) newValidate() *cobra.Command {
	var flags validateFlags
	c := &cobra.Command{
		Use:   "validate [GRAPH.yaml...]",
		Short: "Check the fleet file, or files with graphs, without a cluster",
		Long: `Check everything that can be known without a cluster: the fleet file, its values
against the schemas of the charts, the rules that charts must agree on, that every
chart renders, and its objects against the types of Kubernetes. Each finding has
file:line:column, its rule, a fix, and the page that explains the rule, which
` + "`wheelhouse rules ID`" + ` prints.

With the names of files, their graphs and other objects of the platform are checked
instead, as the API server and the operator would. - is standard input.`,
		Example: `  wheelhouse validate -f fleet.yaml
  wheelhouse validate -f fleet.yaml --kube-version 1.31 -o json
  wheelhouse validate -f fleet.yaml --images
  wheelhouse validate graph.yaml`,
		RunE: func(c *cobra.Command, files []string) error {
			if len(files) > 0 {
				return a.validateGraphs(c, files, flags)
			}
			return a.validate(c, flags)
		},
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text or json")
	c.Flags().StringVar(&flags.kube, "kube-version", "", "the Kubernetes version to check against (default: a recent one)")
	c.Flags().BoolVar(&flags.images, "images", false, "also ask the registries for every image, with this machine's credentials")
	return c
}

func (a *app) validate(c *cobra.Command, flags validateFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	caps := chart.OfflineCapabilities()
	if flags.kube != "" {
		var err error
		if caps, err = chart.CapabilitiesFor(flags.kube); err != nil {
			return fmt.Errorf("--kube-version: %w", err)
		}
	}
	v := verdict{File: a.file, Findings: check.Findings{}}
	if err := a.judge(c, caps, flags.images, &v); err != nil {
		found, ok := check.Refused(err)
		if !ok && flags.output == "json" {
			found, ok = unreadable(err)
		}
		if !ok {
			return err
		}
		v.Findings = append(v.Findings, found...)
	}
	v.Valid = v.Findings.Err() == nil
	if err := a.printVerdict(v, flags.output); err != nil {
		return err
	}
	if !v.Valid {
		return quietError(1)
	}
	return nil
}

// judge reads and renders everything. What it finds beside its error goes into
// the verdict.
func (a *app) judge(c *cobra.Command, caps *chart.Capabilities, images bool, v *verdict) error {
	desired, err := a.load(c.Context())
	if err != nil {
		return err
	}
	v.Findings = append(v.Findings, desired.Warnings...)
	targets, err := desired.Targets(c.Context(), caps)
	if err != nil {
		return err
	}
	v.Findings = append(v.Findings, desired.ObjectWarnings...)
	v.Releases = len(targets)
	for _, target := range targets {
		v.Objects += len(target.Rendered.Objects)
	}
	if !images {
		return nil
	}
	return a.judgeImages(c.Context(), desired, targets, v)
}

// judgeImages asks the registries for what the releases run.
func (a *app) judgeImages(ctx context.Context, desired *rollout.Desired, targets []rollout.Target, v *verdict) error {
	fetcher, err := a.fetcher(desired.Fleet, nil)
	if err != nil {
		return err
	}
	progress := a.progress()
	defer progress.Close()
	fetcher.Begin = progress.Begin
	findings, err := desired.AskRegistries(ctx, targets, fetcher)
	v.Findings = append(v.Findings, findings...)
	return err
}

// unreadable lists what an error says about files that could not be read as
// what they should be.
func unreadable(err error) (check.Findings, bool) {
	var problems fleet.Problems
	if !errors.As(err, &problems) {
		return nil, false
	}
	var out check.Findings
	for _, p := range problems {
		out = append(out, check.Finding{Rule: "file", Severity: check.Error, Page: "docs/fleet.md", Problem: p})
	}
	return out, true
}

func (a *app) printVerdict(v verdict, output string) error {
	if output == "json" {
		return report.JSON(a.out, v)
	}
	if err := report.Findings(a.out, v.Findings); err != nil {
		return err
	}
	if len(v.Findings) > 0 {
		fmt.Fprintln(a.out)
	}
	if !v.Valid {
		_, err := fmt.Fprintf(a.out, "%s is not valid: %s, %s.\n", v.File, report.Count(v.Findings.Count(check.Error), "error"), report.Count(v.Findings.Count(check.Warning), "warning"))
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s is valid: %s, %s.\n", v.File, report.Count(v.Releases, "release"), report.Count(v.Objects, "object"))
	return err
}

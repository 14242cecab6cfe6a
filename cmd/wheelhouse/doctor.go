package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/examine"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func (a *app) newDoctor() *cobra.Command {
	var namespaces []string
	var file, output string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find out why a platform does not work: causes before what they explain",
		Long: `Look at the cluster once, without any write, and say what is wrong: where, what
shows it, the next command, and the page that explains it. What a cause explains
is listed below it.

With -f, the fleet's namespaces are looked at, and what the file wants is known.
Without, platforms are found by what is on the cluster, or named with -n. Then
nothing is asked for outside of these namespaces that you may not list: the
administrator of one namespace can use it. What you may not look at is said so.`,
		Example: `  wheelhouse doctor -f fleet.yaml
  wheelhouse doctor -n team-a-platform
  wheelhouse doctor -o json`,
		Args: noArguments(func(args []string) string {
			return fmt.Sprintf("`wheelhouse doctor -n %s` looks at one namespace", args[0])
		}),
		RunE: func(c *cobra.Command, _ []string) error {
			a.file = file // which is none without the flag, unlike that of other commands
			return a.doctor(c.Context(), namespaces, output)
		},
	}
	c.Flags().StringVarP(&file, "filename", "f", "", "a fleet file, or - for the standard input; none is needed")
	c.Flags().StringSliceVarP(&namespaces, "namespace", "n", nil, "only this namespace (repeatable)")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func (a *app) doctor(ctx context.Context, namespaces []string, output string) error {
	if err := oneOf("output", output, "text", "json"); err != nil {
		return err
	}
	request, err := a.examination(namespaces)
	if err != nil {
		return err
	}
	examiner, err := examine.Connect(ctx, a.kube)
	if err != nil {
		return err
	}
	progress := a.reading()
	snapshot, err := examiner.Look(ctx, request)
	progress.Close()
	if err != nil {
		return err
	}
	diagnosis := doctor.Diagnose(snapshot)
	if output == "json" {
		err = report.JSON(a.out, diagnosis)
	} else {
		err = report.Diagnosis(a.people(), diagnosis)
	}
	if err == nil && !diagnosis.Healthy() {
		return quietError(1)
	}
	return err
}

// examination is what to look at: the namespaces, and what the fleet file wants, if
// one was named. Of the file only the identity is needed.
func (a *app) examination(namespaces []string) (examine.Request, error) {
	request := examine.Request{Namespaces: namespaces}
	crds, err := chart.OpenFS(charts.FS(), fleet.ChartCRDs)
	if err != nil {
		return request, err
	}
	if request.Known, err = check.KnownKinds(crds); err != nil {
		return request, err
	}
	request.KnownVersion = crds.AppVersion()
	if a.file == "" {
		return request, nil
	}
	id, err := rollout.Identify(a.source(nil))
	if err != nil {
		return request, err
	}
	a.on(id.Fleet)
	request.Fleet, request.Confined = &doctor.Fleet{Releases: id.Set.Releases}, id.Fleet.Confined()
	if len(namespaces) > 0 {
		request.Namespaces, err = id.Select(namespaces)
		return request, err
	}
	for _, rel := range id.Set.Releases {
		if rel.Chart == fleet.ChartCRDs {
			request.Records = append(request.Records, rel.Namespace)
		} else {
			request.Namespaces = append(request.Namespaces, rel.Namespaces()...)
		}
	}
	return request, nil
}

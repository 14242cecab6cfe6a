package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

type imagesFlags struct {
	output  string
	digests bool
}

func (a *app) newImages() *cobra.Command {
	var flags imagesFlags
	c := &cobra.Command{
		Use:   "images",
		Short: "List the container images that the releases use",
		Long: `List the container images that the releases use: those of all containers, and
those that programs start, such as a profiler. docs/images.md says what counts.
No cluster is asked. Where something else decides on an image, so that the list
cannot be complete, the place is named and the exit code is 1.

As hauler and as zarf, the list is a file for the tool of that name. With
--image-digests it names what the registries have now, whatever the tags become.
The images of your graphs are not in it: they are in your graphs.`,
		Example: `  wheelhouse images -f fleet.yaml
  wheelhouse images -f fleet.yaml -o hauler --image-digests`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.images(c.Context(), flags) },
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&flags.output, "output", "o", "text", "text, json, hauler or zarf")
	c.Flags().BoolVar(&flags.digests, "image-digests", false, "ask registries for the digest of every image")
	return c
}

func (a *app) images(ctx context.Context, flags imagesFlags) error {
	if err := oneOf("output", flags.output, "text", "json", "hauler", "zarf"); err != nil {
		return err
	}
	desired, targets, err := a.rendered(ctx)
	if err != nil {
		return err
	}
	list, places, err := desired.Images(targets)
	if err != nil {
		return err
	}
	if flags.digests {
		fetcher, err := a.fetcher(desired.Fleet, nil)
		if err != nil {
			return err
		}
		var unknown []*chart.Image
		for i := range list {
			if list[i].Digest == "" {
				unknown = append(unknown, &list[i].Image)
			}
		}
		if err := a.askDigests(ctx, fetcher, unknown); err != nil {
			return err
		}
	}
	if err := a.printImages(flags.output, desired.Set.Name, list); err != nil {
		return err
	}
	if len(places) == 0 {
		return nil
	}
	fmt.Fprintln(a.err, "the list is not complete, because something else decides:")
	for _, place := range places {
		fmt.Fprintf(a.err, "  %s\n", place)
	}
	return quietError(1)
}

func (a *app) printImages(output, fleet string, list []rollout.Image) error {
	switch output {
	case "json":
		return report.JSON(a.out, list)
	case "hauler":
		named := []any{}
		for _, image := range list {
			named = append(named, map[string]string{"name": image.Exact()})
		}
		return a.printYAML(map[string]any{
			"apiVersion": "content.hauler.cattle.io/v1", "kind": "Images",
			"metadata": map[string]string{"name": fleet}, "spec": map[string]any{"images": named},
		})
	case "zarf":
		exact := []string{}
		for _, image := range list {
			exact = append(exact, image.Exact())
		}
		return a.printYAML(map[string]any{
			"kind": "ZarfPackageConfig", "metadata": map[string]string{"name": fleet},
			"components": []any{map[string]any{"name": "images", "required": true, "images": exact}},
		})
	}
	rows := make([][]string, 0, len(list))
	for _, image := range list {
		by := "run"
		if !image.Runs {
			by = "may be run"
		}
		rows = append(rows, []string{image.Exact(), by, image.Releases[0].String(), others(len(image.Releases) - 1)})
	}
	return report.Table(a.out, []string{"IMAGE", "IS", "BY", ""}, rows)
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("and %d more", n)
}

func (a *app) printYAML(content any) error {
	text, err := yaml.Marshal(content)
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}

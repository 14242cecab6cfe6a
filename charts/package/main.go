// Command package writes our charts as Helm packages that stock Helm installs
// offline: third-party charts that are not at hand are left out of the
// package, which says so in an annotation and refuses to turn them on.
// Packaging the same sources twice gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// omittedAnnotation lists the dependencies that a package does not contain.
const omittedAnnotation = "wheelhouse.dev/omitted-dependencies"

// packaged is the time stamp of every file in a package.
var packaged = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	out := flag.String("out", "dist/charts", "folder for the packages")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "package charts:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CHART\tPACKAGE\tLEFT OUT")
	for _, folder := range []string{"crds", "platform"} {
		c, err := chart.OpenFS(charts.FS(), folder)
		if err != nil {
			return err
		}
		file, omitted, err := save(c, out)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c, file, strings.Join(omitted, ", "))
	}
	return w.Flush()
}

func save(c *chart.Chart, out string) (file string, omitted []string, err error) {
	helm := c.Helm()
	for _, d := range c.Omitted() {
		omitted = append(omitted, d.Name)
	}
	if len(omitted) > 0 {
		annotations := map[string]string{omittedAnnotation: strings.Join(omitted, ",")}
		for key, value := range helm.Metadata.Annotations {
			annotations[key] = value
		}
		helm.Metadata.Annotations = annotations
	}
	helm.StampModTimes(packaged)
	file, err = chartutil.Save(helm, out)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", c, err)
	}
	return file, omitted, nil
}

package chart

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// OmittedAnnotation lists the dependencies that a package does not contain, as
// Chart.yaml does. Helm would not install a package that asked for them there; who
// opens one here finds them again.
const OmittedAnnotation = "wheelhouse.dev/omitted-dependencies"

// packaged is the time stamp of every file in a package.
var packaged = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// FileName is how Helm names the chart's package.
func (c *Chart) FileName() string { return c.String() + ".tgz" }

// Package writes the chart as a Helm package. Dependencies that are not at
// hand are left out, which an annotation tells. The same sources give the same
// bytes.
func (c *Chart) Package() ([]byte, error) {
	helm, err := c.noting()
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", c, err)
	}
	helm.StampModTimes(packaged)
	data, err := save(helm)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", c, err)
	}
	return data, nil
}

// Marked returns the chart with a build mark on its version (1.0.0+MARK) and
// an annotation.
func (c *Chart) Marked(mark, key, value string) (*Chart, error) {
	helm := clone(c.helm)
	helm.Metadata.Version += "+" + mark
	annotate(helm, key, value)
	return newChart(helm)
}

func save(helm *helmchart.Chart) (data []byte, err error) {
	dir, err := os.MkdirTemp("", "wheelhouse-package-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, err := util.Save(helm, dir)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Clean(file))
}

// annotate changes a clone, never the shared chart.
func annotate(helm *helmchart.Chart, key, value string) {
	annotations := map[string]string{key: value}
	for k, v := range helm.Metadata.Annotations {
		if k != key {
			annotations[k] = v
		}
	}
	helm.Metadata.Annotations = annotations
}

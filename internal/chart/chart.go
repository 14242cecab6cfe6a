// Package chart knows where charts come from (the binary, a folder, a
// package), which of their dependencies are at hand, and how they render.
package chart

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Chart is a loaded chart. It is read-only and may be shared: Helm, which
// writes into charts while it works, only ever gets clones.
type Chart struct {
	helm     *helmchart.Chart
	digest   string
	defaults *fleet.Value
	// added are third-party dependencies from the cache; bare is the chart
	// without them, nil if there are none.
	added []*Chart
	bare  *Chart
}

// Name is the chart's own name, e.g. "dynamo-platform".
func (c *Chart) Name() string { return c.helm.Metadata.Name }

// Version is the chart's version.
func (c *Chart) Version() string { return c.helm.Metadata.Version }

// AppVersion is the version of what the chart installs.
func (c *Chart) AppVersion() string { return c.helm.Metadata.AppVersion }

// String gives NAME-VERSION, as Helm prints charts.
func (c *Chart) String() string { return c.Name() + "-" + c.Version() }

// Digest identifies the chart's content, its sub-charts included. It is short
// enough for a label value.
func (c *Chart) Digest() string { return c.digest }

// Defaults are the values that the chart and its sub-charts bring along.
func (c *Chart) Defaults() *fleet.Value { return c.defaults }

// Schema is the JSON schema of the values under a path.
type Schema struct {
	Chart string
	Path  []string
	JSON  []byte
}

// Schemas lists the schemas of the chart and of its sub-charts.
func (c *Chart) Schemas() []Schema {
	var out []Schema
	walk(c.helm, nil, func(sub *helmchart.Chart, path []string) {
		if len(sub.Schema) > 0 {
			out = append(out, Schema{Chart: sub.Name(), Path: path, JSON: sub.Schema})
		}
	})
	return out
}

// newChart wraps what Helm's loader returned.
func newChart(helm *helmchart.Chart) (*Chart, error) {
	defaults, err := defaultsOf(helm)
	if err != nil {
		return nil, err
	}
	return &Chart{helm: helm, digest: digestOf(helm), defaults: defaults}, nil
}

// defaultsOf merges values.yaml of a chart over those of its sub-charts.
func defaultsOf(c *helmchart.Chart) (*fleet.Value, error) {
	var data []byte
	for _, file := range c.Raw {
		if file.Name == "values.yaml" {
			data = file.Data
		}
	}
	own, err := fleet.ParseValues(fmt.Sprintf("chart:%s/values.yaml", c.ChartFullPath()), fleet.LayerDefaults, data)
	if err != nil {
		return nil, err
	}
	for _, sub := range c.Dependencies() {
		below, err := defaultsOf(sub)
		if err != nil {
			return nil, err
		}
		below.Subchart = true
		for _, key := range valueKeys(c, sub) {
			own = own.Put(fleet.Merge(below, own.Field(key)), key)
		}
	}
	return own, nil
}

// walk visits a chart and its sub-charts with the path of their values.
func walk(c *helmchart.Chart, path []string, visit func(*helmchart.Chart, []string)) {
	visit(c, path)
	for _, sub := range c.Dependencies() {
		for _, key := range valueKeys(c, sub) {
			walk(sub, append(slices.Clone(path), key), visit)
		}
	}
}

// valueKeys lists the keys under which a parent passes values to a sub-chart:
// its aliases, or its name.
func valueKeys(parent, sub *helmchart.Chart) []string {
	var keys []string
	for _, d := range parent.Metadata.Dependencies {
		if d.Name == sub.Name() {
			keys = append(keys, valueKey(d))
		}
	}
	if len(keys) == 0 {
		keys = []string{sub.Name()}
	}
	return keys
}

func valueKey(d *helmchart.Dependency) string {
	if d.Alias != "" {
		return d.Alias
	}
	return d.Name
}

func digestOf(c *helmchart.Chart) string {
	h := sha256.New()
	addChart(h, c)
	return shortDigest(h)
}

func addChart(h hash.Hash, c *helmchart.Chart) {
	files := make(map[string][]byte, len(c.Raw))
	for _, file := range c.Raw {
		// Sub-charts are added below as they were loaded.
		if !strings.HasPrefix(file.Name, "charts/") {
			files[file.Name] = file.Data
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		addBytes(h, []byte(name))
		addBytes(h, files[name])
	}
	subs := slices.SortedFunc(slices.Values(c.Dependencies()), func(a, b *helmchart.Chart) int {
		return strings.Compare(a.Name(), b.Name())
	})
	for _, sub := range subs {
		addChart(h, sub)
	}
}

func addBytes(h hash.Hash, data []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(data))))
	h.Write(data)
}

// shortDigest fits a label value (63 characters) and keeps 160 bits.
func shortDigest(h hash.Hash) string {
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20]))
}

// clone copies what Helm writes into: the metadata's dependencies and the tree
// of sub-charts. Files and templates stay shared.
func clone(c *helmchart.Chart) *helmchart.Chart {
	out := *c
	metadata := *c.Metadata
	metadata.Dependencies = make([]*helmchart.Dependency, len(c.Metadata.Dependencies))
	for i, d := range c.Metadata.Dependencies {
		copied := *d
		metadata.Dependencies[i] = &copied
	}
	out.Metadata = &metadata
	subs := c.Dependencies()
	out.SetDependencies()
	for _, sub := range subs {
		out.AddDependency(clone(sub))
	}
	return &out
}

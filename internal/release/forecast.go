package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// namedTemplates is how many of the biggest templates a forecast names.
const namedTemplates = 3

// Forecast tells how big the record of a release will be: Helm keeps the chart,
// the values and the manifest, as JSON, compressed, in base64.
// A record that is far from the limit is only estimated, on the high side.
func (s *Store) Forecast(target rollout.Target) (rollout.RecordSize, error) {
	if most := (rollout.RecordSize{Bytes: uncompressed(target)}); most.Percent() < 50 {
		return most, nil
	}
	now := time.Now()
	record, err := encode(&helmrelease.Release{
		Name: target.Name, Namespace: target.Namespace, Version: 1, ApplyMethod: string(helmrelease.ApplyMethodServerSideApply),
		Info:  &helmrelease.Info{FirstDeployed: now, LastDeployed: now, Status: common.StatusDeployed, Description: "Install complete"},
		Chart: target.Rendered.Source(), Config: target.Overrides.PlainMap(), Manifest: target.Rendered.Manifest,
	})
	if err != nil {
		return rollout.RecordSize{}, fmt.Errorf("forecast the record of release %s: %w", target.Key, err)
	}
	out := rollout.RecordSize{Bytes: len(record)}
	if out.Percent() > 50 {
		out.Biggest, err = biggest(target)
	}
	return out, err
}

// uncompressed bounds a record from above: bytes become base64 within JSON, and
// again around it.
func uncompressed(target rollout.Target) int {
	// JSON writes a line break or a quote as two characters.
	size := weight(target.Rendered.Source()) + len(target.Rendered.Manifest)*5/4
	if config, err := json.Marshal(target.Overrides.PlainMap()); err == nil {
		size += len(config)
	}
	return size * 4 / 3
}

func weight(c *helmchart.Chart) int {
	const metadata = 4096
	size := metadata + len(c.Schema)*4/3
	for _, file := range slices.Concat(c.Templates, c.Files) {
		size += len(file.Data) * 4 / 3
	}
	if values, err := json.Marshal(c.Values); err == nil {
		size += len(values)
	}
	for _, dependency := range c.Dependencies() {
		size += weight(dependency)
	}
	return size
}

// biggest names the templates that take most room, by themselves and by what
// they render.
func biggest(target rollout.Target) ([]string, error) {
	texts := map[string]string{}
	for _, template := range target.Rendered.Source().Templates {
		texts[template.Name] += string(template.Data)
	}
	for _, object := range target.Rendered.Objects {
		// Sources start with the chart's name, templates do not.
		_, name, _ := strings.Cut(object.Template, "/")
		texts[name] += object.Content
	}
	sizes, names := map[string]int{}, make([]string, 0, len(texts))
	for name, text := range texts {
		packed, err := compress([]byte(text))
		if err != nil {
			return nil, err
		}
		sizes[name], names = len(packed), append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(sizes[b], sizes[a]), cmp.Compare(a, b)) })
	return names[:min(namedTemplates, len(names))], nil
}

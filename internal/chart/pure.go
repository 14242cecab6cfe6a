package chart

import (
	"fmt"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// pureAnnotation in a Chart.yaml is its author's word that values and
// capabilities decide what is rendered, and that lookups only refuse.
const pureAnnotation = "wheelhouse.dev/pure"

// Pure reports whether Helm would render the same once more. It would not if a
// chart does not say so, and hooks are Helm's own business.
func (r *Rendered) Pure() bool {
	pure := r.Hooks == 0
	walk(r.source, nil, func(sub *helmchart.Chart, _ []string) {
		pure = pure && sub.Metadata.Annotations[pureAnnotation] == "true"
	})
	return pure
}

// Source is the chart as Helm records it: with the values of the sub-charts
// that are on.
func (r *Rendered) Source() *helmchart.Chart { return r.source }

// JSON is the manifest as a stream of JSON objects.
func (r *Rendered) JSON() ([]byte, error) {
	var out []byte
	for _, object := range r.Objects {
		content, err := object.JSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		out = append(append(out, content...), '\n')
	}
	return out, nil
}

package rollout

import (
	"cmp"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

const kindCRD = "CustomResourceDefinition"

func isCRD(o chart.Object) bool { return o.Kind == kindCRD }

// markerOf is the namespace that a release's operator claims; empty if it claims none.
func markerOf(t Target) string {
	if !hasMarker(t) {
		return ""
	}
	return cmp.Or(t.Serves, t.Namespace)
}

// hasMarker reports whether a release runs an operator that claims its
// namespace with a marker Lease.
func hasMarker(t Target) bool {
	return t.Scope == fleet.ScopeNamespace && slices.ContainsFunc(t.Rendered.Objects, func(o chart.Object) bool {
		return o.Kind == "Deployment" && o.Labels[marks.PartOf] == marks.PartOfOperator
	})
}

// crdNames lists the CRDs among objects.
func crdNames(objects []chart.Object) []string {
	var names []string
	for _, o := range objects {
		if isCRD(o) {
			names = append(names, o.Name)
		}
	}
	return names
}

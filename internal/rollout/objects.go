package rollout

import (
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

const kindCRD = "CustomResourceDefinition"

func isCRD(o chart.Object) bool { return o.Kind == kindCRD }

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

// without lists the objects that another list does not have, in any version:
// those that go, and those that a keep policy holds.
func without(objects, others []chart.Object) (gone, kept []chart.Object) {
	type identity struct{ group, kind, namespace, name string }
	id := func(o chart.Object) identity { return identity{o.Group(), o.Kind, o.Namespace, o.Name} }
	have := map[identity]bool{}
	for _, o := range others {
		have[id(o)] = true
	}
	for _, o := range objects {
		switch {
		case have[id(o)]:
		case o.Kept():
			kept = append(kept, o)
		default:
			gone = append(gone, o)
		}
	}
	return gone, kept
}

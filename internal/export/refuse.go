package export

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// longestName is how long the name of an object may be that ends in a label.
const longestName = 63

// refuse lists why releases cannot be exported to a tool.
func (f Fleet) refuse(tool string) error {
	var problems fleet.Problems
	for _, target := range f.Targets {
		problems = append(problems, kept(tool, target)...)
		problems = append(problems, sealed(tool, target)...)
		problems = append(problems, deleted(tool, target)...)
		if name := nameOf(target.Key); len(name) > longestName {
			problems = append(problems, fleet.Problem{
				Origin:  target.Origin,
				Message: fmt.Sprintf("release %s would be called %s for %s, which has %d characters and may have %d", target.Key, name, tool, len(name), longestName),
				Fix:     "give the platform a shorter release name or namespace",
			})
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return problems
}

// instead says what keeps a certificate where the manager does not, by the chart whose
// objects trust it.
var instead = map[string]string{
	fleet.ChartPlatform: "where cert-manager is installed, set platform.dynamo-operator.webhook.certManager.enabled to true; or name a Secret of yours with " +
		"webhook.certificateSecret.external and webhook.caBundle; or do without, with webhook.enabled: false",
	fleet.ChartCRDs: "where cert-manager is installed, set crds.conversion.certManager and conversion.certificate.certManager to true; or fill the Secret yourself and " +
		"set crds.conversion.caBundle; or serve one version, with spec.crds.conversion: false",
}

// kept: the manager makes and renews a certificate, which nobody else would.
func kept(tool string, target rollout.Target) fleet.Problems {
	i := slices.IndexFunc(target.Rendered.Objects, func(o chart.Object) bool { return o.Annotations[marks.Certificate] != "" })
	if i < 0 {
		return nil
	}
	object := target.Rendered.Objects[i]
	return fleet.Problems{{
		Origin: target.Origin,
		Message: fmt.Sprintf("release %s: wheelhouse makes and renews the certificate in Secret %s that %s trusts, and %s would not",
			target.Key, object.Annotations[marks.Certificate], object, tool),
		Fix: instead[target.Chart],
	}}
}

// sealed: what is encrypted in its file would be readable in the objects.
func sealed(tool string, target rollout.Target) (problems fleet.Problems) {
	for _, leaf := range target.Overrides.SealedLeaves() {
		problems = append(problems, fleet.Problem{
			Origin:  leaf.Origin,
			Message: fmt.Sprintf("release %s: %s is encrypted here and would be readable in what %s is given", target.Key, dotted(target, leaf.Path), tool),
			Fix:     "put it into a Secret and have the values name that, if the chart can; nothing of it was exported",
		})
	}
	return problems
}

// deleted: a null takes away a default, and the API server takes away nulls.
func deleted(tool string, target rollout.Target) (problems fleet.Problems) {
	var walk func(v *fleet.Value, path []string)
	walk = func(v *fleet.Value, path []string) {
		if v.IsNull() {
			problems = append(problems, fleet.Problem{
				Origin:  v.Origin,
				Message: fmt.Sprintf("release %s: %s is null, which gets lost in an object of %s: the chart's default would come back", target.Key, dotted(target, path), tool),
				Fix:     "set what shall be there instead",
			})
			return
		}
		for _, key := range v.Keys() {
			walk(v.Fields[key], append(slices.Clone(path), key))
		}
		for i, item := range v.Items {
			walk(item, append(slices.Clone(path), strconv.Itoa(i)))
		}
	}
	walk(target.Overrides, nil)
	return problems
}

func dotted(target rollout.Target, path []string) string {
	return fleet.JoinPath(append([]string{target.Chart}, path...)...)
}

// values are what a release is given, without what says that the manager looks after its
// certificate.
func values(target rollout.Target) map[string]any {
	out := target.Overrides.PlainMap()
	for _, path := range fleet.ManagerFacts(target.Chart) {
		remove(out, path)
	}
	return out
}

// remove takes a leaf away, and what is empty without it.
func remove(from map[string]any, path []string) {
	if len(path) == 1 {
		delete(from, path[0])
		return
	}
	below, ok := from[path[0]].(map[string]any)
	if !ok {
		return
	}
	if remove(below, path[1:]); len(below) == 0 {
		delete(from, path[0])
	}
}

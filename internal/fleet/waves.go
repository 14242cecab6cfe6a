package fleet

import (
	"fmt"
	"slices"
)

// waves orders the waves of the platforms: as declared, or else as they appear.
// Platforms without a wave are the last.
func (r *resolver) waves() []string {
	var order []string
	for _, declared := range r.fleet.Waves {
		if slices.Contains(order, declared.Value) {
			r.problems = append(r.problems, Problem{Origin: declared.Origin, Message: fmt.Sprintf("spec.waves names %q twice", declared.Value)})
		}
		order = append(order, declared.Value)
	}
	var used []string
	rest := false
	for _, p := range r.fleet.Platforms {
		switch {
		case p.Wave == "":
			rest = true
			continue
		case len(r.fleet.Waves) == 0 && !slices.Contains(order, p.Wave):
			order = append(order, p.Wave)
		case !slices.Contains(order, p.Wave):
			r.problems = append(r.problems, Problem{
				Origin: p.Origin, Message: fmt.Sprintf("platform %s is in wave %q, which spec.waves does not list", p.Namespace, p.Wave),
				Fix: "add it there, at the place where its turn is; known are: " + join(order),
			})
		}
		used = append(used, p.Wave)
	}
	order = slices.DeleteFunc(order, func(wave string) bool { return !slices.Contains(used, wave) })
	if len(order) > 0 && rest {
		order = append(order, "")
	}
	return order
}

package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Fields says what to do about fields that a chart sets and that other programs
// own. What it does not name stops a rollout.
type Fields struct {
	// Force takes over every field.
	Force bool `json:"force,omitempty"`
	// Take lists fields that are taken over.
	Take []fleet.FieldRef `json:"take,omitempty"`
	// Leave lists fields that are not written once others own them.
	Leave []fleet.FieldRef `json:"leave,omitempty"`
}

// Left are the references that leave something of an object to others.
func (f Fields) Left(kind, namespace, name string) []fleet.FieldRef {
	var out []fleet.FieldRef
	for _, ref := range f.Leave {
		if ref.Selects(kind, namespace, name) {
			out = append(out, ref)
		}
	}
	return out
}

// Takes reports whether all of an object's conflicts are to be taken over.
func (f Fields) Takes(kind, namespace, name string, conflicts []FieldConflict) bool {
	for _, conflict := range conflicts {
		taken := slices.ContainsFunc(f.Take, func(ref fleet.FieldRef) bool {
			return ref.Selects(kind, namespace, name) && ref.Covers(conflict.Field)
		})
		if !taken && !f.Force {
			return false
		}
	}
	return true
}

// FieldConflict is a field that a release sets and that another program owns.
type FieldConflict struct {
	// Field is the path as the API server writes it: .spec.replicas.
	Field string `json:"field"`
	// Manager is the program's name as a field manager.
	Manager string `json:"manager"`
	// Subresource is the one that it wrote through, such as scale.
	Subresource string `json:"subresource,omitempty"`
	// Wanted and Live are the values, as far as they may be shown.
	Wanted string `json:"wanted,omitempty"`
	Live   string `json:"live,omitempty"`
	// Advice is the choice that is safe, where that is known.
	Advice string `json:"advice,omitempty"`
}

func (f FieldConflict) String() string {
	text := f.Field + " is owned by " + f.Manager
	if f.Subresource != "" {
		text += " through " + f.Subresource
	}
	if f.Wanted != "" || f.Live != "" {
		text += fmt.Sprintf(" (it is %s, the chart wants %s)", orNothing(f.Live), orNothing(f.Wanted))
	}
	if f.Advice != "" {
		text += "; " + f.Advice
	}
	return text
}

func orNothing(text string) string {
	if text == "" {
		return "empty"
	}
	return text
}

// Advise fills in which choice is safe. A placeholder is a value that the chart
// leaves empty for another program to fill in.
func (f FieldConflict) Advise(placeholder bool) FieldConflict {
	switch {
	case f.Field == ".spec.replicas":
		f.Advice = "an autoscaler or a person scales it: leave it"
	case placeholder:
		f.Advice = "the chart only holds a place for what " + f.Manager + " fills in: leave it"
	case strings.HasPrefix(f.Manager, "kubectl"):
		f.Advice = "changed by hand: take it over if that change is no longer needed"
	}
	return f
}

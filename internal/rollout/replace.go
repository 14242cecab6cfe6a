package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/inplace"
)

// Replacement is what of a change cannot be made in place, and what it takes to put
// another object there.
type Replacement struct {
	inplace.Change
	// Claims are volume claims that get bigger.
	Claims []Claim `json:"claims,omitempty"`
	// SetBy says, by the path of a field, which values decide it and where they are
	// given, as far as that was looked for.
	SetBy map[string]string `json:"setBy,omitempty"`
	// Begun says that the object is being deleted: an earlier run got that far.
	Begun bool `json:"begun,omitempty"`
	// UID is that of the object that goes. Nothing is done to another one.
	UID string `json:"-"`
}

// Claim is a volume claim that gets bigger.
type Claim struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
	// Class is its storage class, which allows that.
	Class string `json:"class,omitempty"`
}

func (c Claim) String() string {
	text := fmt.Sprintf("claim %s: %s → %s", c.Name, c.Old, c.New)
	if c.Class != "" {
		text += fmt.Sprintf(", storage class %s allows it", c.Class)
	}
	return text
}

// Patch is the merge patch that makes it bigger.
func (c Claim) Patch() []byte {
	return fmt.Appendf(nil, `{"spec":{"resources":{"requests":{"storage":%q}}}}`, c.New)
}

// longestValue is how much of a value a line shows.
const longestValue = 80

// Lines are the fields that cannot change in place and the claims that get bigger, a
// line each; none for nil.
func (r *Replacement) Lines() (out []string) {
	if r == nil {
		return nil
	}
	for _, f := range r.Fields {
		text := f.Path + ": " + shownValue(f.Old) + " → " + shownValue(f.New)
		if by := r.SetBy[f.Path]; by != "" {
			text += ", " + by
		}
		out = append(out, text)
	}
	for _, claim := range r.Claims {
		out = append(out, claim.String())
	}
	return out
}

func shownValue(v any) string {
	if v == nil {
		return "nothing"
	}
	if text, ok := v.(string); ok && text != "" {
		return text
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if text := []rune(string(data)); len(text) > longestValue {
		return string(text[:longestValue]) + "…"
	}
	return string(data)
}

// Replaced lists the objects that need consent to be replaced, as KIND/NAME: one
// consent is for all of a name, since tenants are alike.
func (p *Plan) Replaced() []string {
	names := map[string]bool{}
	for _, change := range p.replaced() {
		names[change.Kind+"/"+change.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Unagreed lists the objects that would be replaced and that none of the references
// names, KIND/NAME or KIND/NAMESPACE/NAME.
func (p *Plan) Unagreed(references []string) (out []Change) {
	for _, change := range p.replaced() {
		if !slices.ContainsFunc(references, change.Named) {
			out = append(out, change)
		}
	}
	return out
}

// Recreatable refuses a reference that is none, or to what must never be replaced.
func Recreatable(reference string) error {
	parts := strings.Split(reference, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return errors.New("it is not KIND/NAME or KIND/NAMESPACE/NAME, such as StatefulSet/dynamo-platform-nats")
	}
	if why := inplace.Never(parts[0]); why != "" {
		return fmt.Errorf("a %s is never replaced: %s", parts[0], why)
	}
	return nil
}

// Named reports whether KIND/NAME or KIND/NAMESPACE/NAME means the object, in any case.
func (c Change) Named(reference string) bool {
	return strings.EqualFold(reference, c.Kind+"/"+c.Name) || strings.EqualFold(reference, c.String())
}

// replaced are the objects that are replaced. One that is on its way out already has
// been agreed to.
func (p *Plan) replaced() (out []Change) {
	for _, step := range p.Steps {
		for _, change := range step.Changes {
			if change.Action == ChangeReplace && !change.Replacement.Begun && step.Left == "" {
				out = append(out, change)
			}
		}
	}
	return out
}

// replacements are those of changes, by their objects.
func replacements(changes []Change) map[string]*Replacement {
	out := map[string]*Replacement{}
	for _, change := range changes {
		if change.Action == ChangeReplace {
			out[change.String()] = change.Replacement
		}
	}
	return out
}

// replaceNeeds lists the rights that it takes to replace the objects of a step.
func replaceNeeds(reason string, s *Step) (out []Need) {
	for i := range s.target.Rendered.Objects {
		o := &s.target.Rendered.Objects[i]
		inside := Change{Kind: o.Kind, Namespace: namespaceIn(*o, s.Key), Name: o.Name}
		r := s.target.Replaces[inside.String()]
		if r == nil {
			r = s.target.Replaces[Change{Kind: o.Kind, Name: o.Name}.String()]
		}
		if r == nil {
			continue
		}
		out = append(out, Need{Verbs: goneVerbs, Object: o, Namespace: namespaceIn(*o, s.Key), For: reason})
		if len(r.Claims) > 0 {
			out = append(out, Need{Verbs: []string{"get", "list", "patch"}, Resource: claims, Namespace: inside.Namespace, For: reason})
		}
	}
	return out
}

// replacedStays says why a release whose objects were replaced is not taken back.
func replacedStays(replaced map[string]*Replacement) string {
	return "what cannot change in place was replaced (" + strings.Join(shortened(slices.Sorted(maps.Keys(replaced))), ", ") +
		"), and going back would replace it once more"
}

package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Consent is what a person has agreed to beforehand.
type Consent struct {
	// Yes agrees to deleted objects and to values that lose their effect.
	Yes bool
	// Adopt agrees to taking over what exists without this fleet.
	Adopt bool
	// Recreate agrees to replacing objects, as KIND/NAME, that cannot change in place.
	Recreate []string
	// Moves agrees to writing all objects of these CRDs once more.
	Moves []string
}

// Question is something that is only done with a person's consent.
type Question struct {
	// About says what would happen: "3 objects are deleted".
	About string
	// Flag is how consent is given beforehand: "--yes".
	Flag string
}

// Questions are what the plan needs consent for and has none yet. Whatever else does,
// is one more question here.
func (p *Plan) Questions(given Consent) (out []Question) {
	if n := p.Deletions(); n > 0 && !given.Yes {
		out = append(out, Question{number(n, "object is deleted", "objects are deleted"), "--yes"})
	}
	if replaced := p.Unagreed(given.Recreate); len(replaced) > 0 {
		out = append(out, Question{number(len(replaced), "object that cannot change in place is replaced", "objects that cannot change in place are replaced"), recreating(replaced)})
	}
	if crds, objects := p.Unmoved(given.Moves); len(crds) > 0 {
		of := " of " + strings.Join(crds, ", ")
		out = append(out, Question{
			number(objects, "object"+of+" is", "objects"+of+" are") + " written once more, so that versions of it may end",
			"--migrate-storage " + strings.Join(crds, " --migrate-storage "),
		})
	}
	if n := len(p.Adoptions()); n > 0 && !given.Adopt {
		out = append(out, Question{number(n, "release or object that exists already is taken over", "releases or objects that exist already are taken over"), "--adopt"})
	}
	if n := p.LostValues(); n > 0 && !given.Yes {
		out = append(out, Question{number(n, "value of yours is for a key that the new charts do not have", "values of yours are for keys that the new charts do not have"), "--yes"})
	}
	return out
}

// recreating are the flags that consent to replacing objects, each name once.
func recreating(changes []Change) string {
	var flags []string
	for _, change := range changes {
		flags = append(flags, "--recreate "+change.Kind+"/"+change.Name)
	}
	slices.Sort(flags)
	return strings.Join(slices.Compact(flags), " ")
}

// number says how many there are of what is done.
func number(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

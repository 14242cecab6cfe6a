// Package doctor says what is wrong with the platforms of a cluster, and which of
// it is the cause of the rest. The facts are read once, elsewhere; a check is a
// small value that looks at them and explains itself.
package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// Check is one thing that can be wrong.
type Check struct {
	// ID is stable, and the heading of docs/troubleshooting.md that explains it.
	ID string
	// Says is what is wrong, in one sentence.
	Says string
	// Needs are the facts of the cluster without which it can say nothing.
	Needs []Fact
	// Follows says that it may be the consequence of what another check finds, and
	// then stands below that.
	Follows bool
	// Find returns where it is so.
	Find func(*Snapshot) []Finding
}

// page explains all checks, under a heading each.
const page = "docs/troubleshooting.md"

// Page is where the check is explained.
func (c Check) Page() string { return page + "#" + c.ID }

// Finding is something that is wrong at one place.
type Finding struct {
	Check string `json:"check"`
	Says  string `json:"says"`
	At    Place  `json:"at"`
	// Seen is what shows it, in one line.
	Seen string `json:"seen,omitempty"`
	// Next is the command that shows more, or mends it.
	Next Command `json:"next"`
	Page string  `json:"page"`
	// Note says that nothing is known to be wrong: something could not be looked at.
	Note bool `json:"note,omitempty"`
	// Explains lists what is wrong because of this.
	Explains []Finding `json:"explains,omitempty"`
	// breaks are the places where this is the cause of what follows from something.
	breaks  []Place
	follows bool
}

// Place is where something is: an object. The namespace of an object of the
// cluster is empty.
type Place struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

func (p Place) String() string {
	if p.Namespace == "" {
		return p.Kind + " " + p.Name
	}
	return p.Kind + " " + p.Namespace + "/" + p.Name
}

// Command is a command line, word by word. It names nothing but what Kubernetes
// lets be a name, or what a shell reads as one word.
type Command []string

// Diagnosis is what all checks found.
type Diagnosis struct {
	// Cluster is the address of the API server.
	Cluster string `json:"cluster"`
	// Namespaces are those that were looked at.
	Namespaces []string `json:"namespaces"`
	// Findings are causes; what a cause explains is below it.
	Findings []Finding `json:"findings"`
}

// Healthy reports whether nothing was found to be wrong.
func (d *Diagnosis) Healthy() bool {
	return !slices.ContainsFunc(d.Findings, func(f Finding) bool { return !f.Note })
}

// Diagnose runs every check on the facts, and puts causes before what they explain.
func Diagnose(s *Snapshot) *Diagnosis {
	var all []Finding
	for _, c := range Checks() {
		if slices.ContainsFunc(c.Needs, func(fact Fact) bool { return !s.knows(fact, "") }) {
			continue
		}
		for _, f := range c.Find(s) {
			f.Check, f.Page, f.follows = c.ID, c.Page(), c.Follows
			if f.Says == "" {
				f.Says = c.Says
			}
			f.Says, f.Seen = readable(f.Says), readable(f.Seen)
			all = append(all, f)
		}
	}
	return &Diagnosis{Cluster: s.Cluster, Namespaces: s.Namespaces, Findings: causes(all)}
}

// longest is how much of a sentence is shown, in characters.
const longest = 400

// readable makes of a text one line that anybody can print.
func readable(text string) string {
	return plain.Text(strings.Join(strings.Fields(text), " "), longest)
}

// causes puts every finding that follows from something below the first one that
// explains it. Checks are in the order in which one thing breaks another, so a cause
// comes before what it explains.
func causes(all []Finding) []Finding {
	below := map[int][]int{}
	var top []int
	for i, f := range all {
		cause := slices.IndexFunc(all[:i], func(earlier Finding) bool { return f.follows && slices.Contains(earlier.breaks, f.At) })
		if cause < 0 {
			top = append(top, i)
		} else {
			below[cause] = append(below[cause], i)
		}
	}
	var nest func(indices []int) []Finding
	nest = func(indices []int) []Finding {
		out := make([]Finding, 0, len(indices))
		for _, i := range indices {
			f := all[i]
			if len(below[i]) > 0 {
				f.Explains = nest(below[i])
			}
			out = append(out, f)
		}
		return out
	}
	return nest(top)
}

// kubectl is a command of kubectl in a namespace; the cluster's objects are in none.
func kubectl(namespace string, args ...string) Command {
	out := Command{"kubectl"}
	if namespace != "" {
		out = append(out, "-n", namespace)
	}
	return append(out, args...)
}

// few names some things, and how many more there are.
func few(names []string) string {
	const most = 3
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// orNone is few for what may be nothing.
func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return few(names)
}

package fleet

import (
	"fmt"
	"strings"
)

// Layer names the strength of a set of values, weakest first.
type Layer string

// The layers of a release's values.
const (
	LayerDefaults Layer = "chart default"
	LayerProfile  Layer = "profile"
	LayerShared   Layer = "shared fact"
	LayerFleet    Layer = "fleet values"
	LayerPlatform Layer = "platform values"
	LayerSet      Layer = "--set"
)

// Origin is the place that set something. Line and Column count from 1; both
// are 0 when the place is not a file (a flag, a derived fact).
type Origin struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Layer  Layer  `json:"layer,omitempty"`
}

// String gives file:line:column, as editors and terminals understand it.
func (o Origin) String() string {
	switch {
	case o.File == "" && o.Layer != "":
		return string(o.Layer)
	case o.Line == 0:
		return o.File
	default:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	}
}

// shippedProfile starts the file name of a profile that comes with the program.
const shippedProfile = "profile:"

// Shipped reports whether the place is in a profile that comes with the program.
func (o Origin) Shipped() bool { return strings.HasPrefix(o.File, shippedProfile) }

// Problem is one thing that is wrong in what the user wrote.
type Problem struct {
	Origin  Origin `json:"origin"`
	Message string `json:"message"`
	// Fix says what to do; empty where the message already says it.
	Fix string `json:"fix,omitempty"`
}

func (p Problem) String() string {
	var b strings.Builder
	if at := p.Origin.String(); at != "" {
		b.WriteString(at + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString(" (" + p.Fix + ")")
	}
	return b.String()
}

// Problems is a list of problems as one error; each takes a line.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// orNil keeps an empty list from becoming a non-nil error.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Closest returns the known name that a misspelt one most likely meant, or "".
func Closest(name string, known []string) string {
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance counts the edits (insert, delete, replace, swap of neighbours)
// between two words.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	previous := make([]int, len(y)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(x); i++ {
		current := make([]int, len(y)+1)
		current[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous = previous, current
	}
	return previous[len(y)]
}

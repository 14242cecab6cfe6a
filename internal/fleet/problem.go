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
	LayerCluster  Layer = "cluster values"
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

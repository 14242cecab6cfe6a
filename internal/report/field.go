package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

// effects says what the values below a heading do.
var effects = []struct {
	effect  trace.Effect
	heading string
}{
	{trace.Content, "Values that it is made of:"},
	{trace.Influence, "Values that change it:"},
	{trace.Existence, "Values that decide whether the object exists:"},
}

// Field prints what decides a field of an object.
func Field(w io.Writer, f *trace.Field) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s %s of release %s\n", f.Object.Kind, f.Object.Name, f.Release)
	if f.Path != "" {
		fmt.Fprintf(b, "field:    %s\n", f.Path)
	}
	fmt.Fprintf(b, "template: %s (chart %s)\n", f.Template, f.Chart)
	if f.Path != "" {
		fmt.Fprintf(b, "rendered: %s\n", fieldValue(f.Rendered, f.Value))
	}
	if f.Live != nil {
		liveField(b, f)
	}
	for _, group := range effects {
		heading := "\n" + group.heading + "\n"
		for _, cause := range f.Causes {
			if cause.Effect != group.effect {
				continue
			}
			b.WriteString(heading)
			heading = ""
			if err := history(b, cause.Explained); err != nil {
				return err
			}
		}
	}
	if len(f.Facts) > 0 {
		fmt.Fprintf(b, "\nIt also depends on %s.\n", strings.Join(f.Facts, ", on "))
	}
	if len(f.Facts) == 0 && !slices.ContainsFunc(f.Causes, func(c trace.Cause) bool { return c.Effect != trace.Existence }) {
		b.WriteString("\nNo value decides it: the template has it as it is, or does not set it.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func liveField(b *strings.Builder, f *trace.Field) {
	switch {
	case !f.Live.Exists:
		b.WriteString("live:     the object does not exist\n")
	case f.Path == "" && f.Live.Differs:
		b.WriteString("live:     differs; name a FIELD to see how\n")
	case !f.Live.Differs && f.Rendered:
		b.WriteString("live:     the same\n")
	case !f.Live.Differs && !f.Live.Present:
		b.WriteString("live:     (not set)\n")
	default:
		fmt.Fprintf(b, "live:     %s\n", fieldValue(f.Live.Present, f.Live.Value))
	}
	if !f.Live.Present {
		return
	}
	if len(f.Live.Owners) == 0 {
		b.WriteString("set by:   the API server or a webhook; no field manager owns it\n")
	}
	for _, o := range f.Live.Owners {
		how := strings.ToLower(o.Operation)
		if o.Subresource != "" {
			how += " of " + o.Subresource
		}
		fmt.Fprintf(b, "set by:   %s (%s, %s ago)\n", o.Manager, how, Age(o.Time))
	}
}

// fieldValue is short: a line is read, a page is not.
func fieldValue(set bool, value any) string {
	if !set {
		return "(not set)"
	}
	text := []rune(compact(value))
	if len(text) > 400 {
		return string(text[:400]) + "… (all of it with -o json)"
	}
	return string(text)
}

// Unused prints values that have no effect, a line each.
func Unused(w io.Writer, unused []trace.UnusedValue) error {
	b := &strings.Builder{}
	for _, u := range unused {
		fmt.Fprintf(b, "%s: %s.%s: %s is unused: %s\n", u.Origin, u.Chart, u.Path, compact(u.Value), u.Reason)
	}
	switch len(unused) {
	case 0:
		b.WriteString("Every value that was written has an effect.\n")
	case 1:
		b.WriteString("1 value has no effect.\n")
	default:
		fmt.Fprintf(b, "%d values have no effect.\n", len(unused))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Package verdict holds the figures of a benchmark against their bounds.
package verdict

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Verdicts are the figures so far, in the order in which they were measured.
type Verdicts []figure

type figure struct {
	what     string
	measured float64
	bound    string
	kept     bool
}

// AtMost adds a figure that keeps its bound up to and with the limit.
func (v *Verdicts) AtMost(what string, measured, limit float64) {
	*v = append(*v, figure{what, measured, fmt.Sprintf("≤ %g", limit), measured <= limit})
}

// AtLeast adds a figure that keeps its bound from the limit on.
func (v *Verdicts) AtLeast(what string, measured, limit float64) {
	*v = append(*v, figure{what, measured, fmt.Sprintf("≥ %g", limit), measured >= limit})
}

// Print writes every figure beside its bound; a broken one is an error.
func (v *Verdicts) Print(w io.Writer) error {
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tMEASURED\tBOUND\tKEPT")
	broken := 0
	for _, f := range *v {
		kept := "yes"
		if !f.kept {
			kept = "NO"
			broken++
		}
		fmt.Fprintf(table, "%s\t%.2f\t%s\t%s\n", f.what, f.measured, f.bound, kept)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d bounds are broken", broken, len(*v))
	}
	return nil
}

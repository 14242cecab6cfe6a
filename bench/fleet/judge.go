package main

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// verdict is one figure with what it must keep to.
type verdict struct {
	what     string
	measured float64
	bound    string
	kept     bool
}

func (b *bench) atMost(what string, measured, limit float64) {
	b.verdicts = append(b.verdicts, verdict{what, measured, fmt.Sprintf("≤ %g", limit), measured <= limit})
}

func (b *bench) atLeast(what string, measured, limit float64) {
	b.verdicts = append(b.verdicts, verdict{what, measured, fmt.Sprintf("≥ %g", limit), measured >= limit})
}

// judge prints every figure against its bound; a broken one is an error.
func (b *bench) judge() error {
	fmt.Println()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tMEASURED\tBOUND\tKEPT")
	broken := 0
	for _, v := range b.verdicts {
		kept := "yes"
		if !v.kept {
			kept = "NO"
			broken++
		}
		fmt.Fprintf(table, "%s\t%.2f\t%s\t%s\n", v.what, v.measured, v.bound, kept)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d bounds are broken", broken, len(b.verdicts))
	}
	return nil
}

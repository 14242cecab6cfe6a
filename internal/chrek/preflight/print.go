package preflight

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes results for people: one line per check, and below it what
// to do where it failed.
func WriteTable(w io.Writer, results []Result) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "CHECK\tRESULT\tREQUIRED\tFOUND")
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.Check, word(r.Passed, "pass", "FAIL"), word(r.Required, "yes", "no"), r.Says)
		if r.Fix != "" {
			fmt.Fprintf(tw, "\t\t\tfix: %s\n", r.Fix)
		}
	}
	return tw.Flush()
}

func word(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// WriteJSON writes results for machines.
func WriteJSON(w io.Writer, results []Result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Ready  bool     `json:"ready"`
		Checks []Result `json:"checks"`
	}{Ready(results), results})
}

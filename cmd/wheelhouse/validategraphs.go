package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/graphfile"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

// graphVerdict is what validate says of files with graphs.
type graphVerdict struct {
	Files    []string       `json:"files"`
	Valid    bool           `json:"valid"`
	Objects  int            `json:"objects"`
	Others   int            `json:"others,omitempty"`
	Problems fleet.Problems `json:"problems"`
	Warnings fleet.Problems `json:"warnings,omitempty"`
}

func (a *app) validateGraphs(c *cobra.Command, files []string, flags validateFlags) error {
	if err := oneOf("output", flags.output, "text", "json"); err != nil {
		return err
	}
	definitions, err := graphfile.Definitions()
	if err != nil {
		return err
	}
	v := graphVerdict{Files: files, Problems: fleet.Problems{}}
	for _, file := range files {
		data, err := readFileOr(c.InOrStdin(), file)
		if err != nil {
			return err
		}
		found, err := graphfile.Check(c.Context(), file, data, definitions)
		if err != nil {
			return err
		}
		v.Objects, v.Others = v.Objects+found.Objects, v.Others+found.Others
		v.Problems, v.Warnings = append(v.Problems, found.Problems...), append(v.Warnings, found.Warnings...)
	}
	v.Valid = len(v.Problems) == 0
	if err := a.printGraphVerdict(v, flags.output); err != nil {
		return err
	}
	if !v.Valid {
		return quietError(1)
	}
	return nil
}

func readFileOr(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

func (a *app) printGraphVerdict(v graphVerdict, output string) error {
	if output == "json" {
		return report.JSON(a.out, v)
	}
	for _, p := range v.Problems {
		fmt.Fprintln(a.out, p)
	}
	for _, w := range v.Warnings {
		fmt.Fprintln(a.out, "warning:", w)
	}
	what := report.Count(v.Objects, "object")
	if v.Others > 0 {
		what += fmt.Sprintf(" (%d of other kinds not looked at)", v.Others)
	}
	verdict := "valid"
	switch {
	case v.Objects == 0:
		verdict = "nothing of nvidia.com is in there"
	case !v.Valid:
		verdict = "not valid: " + report.Count(len(v.Problems), "error")
	}
	_, err := fmt.Fprintf(a.out, "%s: %s.\n", what, verdict)
	return err
}

package main

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A person reads --help on one screen, sees an example and learns what the exit
// codes mean; a program can have every list as JSON.
func TestEveryHelpFitsAScreen(t *testing.T) {
	const lines = 40
	seen := 0
	visit(newRoot(nil, nil, io.Discard, io.Discard), func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c.HasParent() {
			return
		}
		seen++
		path := strings.Fields(strings.TrimPrefix(c.CommandPath(), "wheelhouse"))
		var out, errs bytes.Buffer
		if code := execute(t.Context(), append(path, "--help"), nil, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Fatalf("%s --help: exit code %d, %s", c.CommandPath(), code, errs.String())
		}
		text := strings.TrimSuffix(out.String(), "\n")
		if n := strings.Count(text, "\n") + 1; n > lines {
			t.Errorf("%s --help has %d lines, more than %d", c.CommandPath(), n, lines)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if n := len([]rune(line)); n > helpWidth {
				t.Errorf("%s --help: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, part := range []string{"Usage:\n  wheelhouse", "\n\nExit codes: 0 "} {
			if !strings.Contains(text, part) {
				t.Errorf("%s --help lacks %q:\n%s", c.CommandPath(), part, text)
			}
		}
		if !c.HasSubCommands() && !regexp.MustCompile(`\nExamples:\n  wheelhouse `+strings.Join(path, " ")).MatchString(text) {
			t.Errorf("%s --help has no example of itself:\n%s", c.CommandPath(), text)
		}
	})
	if seen < 20 {
		t.Errorf("only %d commands", seen)
	}
}

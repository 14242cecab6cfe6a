package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command has a page, with its flags and what its exit codes mean.
func TestEveryCommandHasAManualPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	var out, errs bytes.Buffer
	if code := execute(t.Context(), []string{"man", dir}, nil, &out, &errs); code != 0 || out.Len()+errs.Len() > 0 {
		t.Fatalf("exit code %d: %s%s", code, &out, &errs)
	}
	visit(newRoot(nil, nil, &out, &errs), func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c.HasParent() {
			return
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		for _, part := range []string{c.Short, "Exit codes: " + exitCodes(c)} {
			if !strings.Contains(string(page), part) {
				t.Errorf("the page of %s lacks %q", c.CommandPath(), part)
			}
		}
	})
	if code := execute(t.Context(), []string{"man"}, nil, &out, &errs); code != 1 || !strings.Contains(errs.String(), "wheelhouse man ") {
		t.Errorf("without a folder: exit code %d: %s", code, &errs)
	}
}

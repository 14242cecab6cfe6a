package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// conflict is what a merge leaves behind that nobody finished.
var conflict = regexp.MustCompile(`(?m)^(<<<<<<<|>>>>>>>) .*$`)

// Somebody's half of a merge is not what a page says.
func TestNoPageHasAnUnfinishedMerge(t *testing.T) {
	pages := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "charts/*/*.md", "*/README.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range found {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			if left := conflict.Find(text); left != nil {
				t.Errorf("%s: %s", page, left)
			}
		}
	}
	if pages < 80 {
		t.Errorf("only %d pages were read", pages)
	}
}

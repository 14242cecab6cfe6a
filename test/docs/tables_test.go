package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/transition"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
)

// The tables that promise a test for each row name tests that exist.
func TestTablesNameTestsThatExist(t *testing.T) {
	known := tests(t)
	for file, rows := range map[string][]string{
		"defects.md": numbered("D-%02d", 34),
		"pains.md":   numbered("P%02d", 25),
		"compat.md":  slices.Concat(numbered("B%02d", 51), numbered("M%02d", 66), []string{"M38a", "M38b"}, numbered("U%02d", 28)),
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for line := range strings.Lines(string(data)) {
			cells := strings.Split(line, "|")
			if len(cells) < 3 {
				continue
			}
			row := strings.TrimSpace(cells[1])
			found[row] = true
			names := testName.FindAllStringSubmatch(line, -1)
			if strings.ContainsAny(row, "0123456789") && len(names) == 0 && !strings.Contains(line, "not yet") {
				t.Errorf("%s: %s names no test, and does not say \"not yet\"", file, row)
			}
			for _, name := range names {
				if !known[name[1]] {
					t.Errorf("%s: %s names %s, which does not exist", file, row, name[1])
				}
			}
		}
		for _, row := range rows {
			if !found[row] {
				t.Errorf("%s has no row %s", file, row)
			}
		}
	}
}

// A way is called safe by a test that exists.
func TestWhatIsSafeWasTested(t *testing.T) {
	known := tests(t)
	records, err := transition.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for chart, record := range records {
		for _, way := range record.Transitions {
			if way.Verdict == transition.Safe && !known[way.Test] {
				t.Errorf("internal/transition/records/%s.yaml: %s to %s is safe by %s, which does not exist", chart, way.From, way.To, way.Test)
			}
		}
	}
}

func numbered(format string, n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf(format, i+1)
	}
	return rows
}

// tests lists every test of the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, name := range testFunc.FindAllSubmatch(data, -1) {
			known[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

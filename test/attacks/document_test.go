package attacks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const document = "../../docs/security.md"

// TestTheDocumentNamesTestsThatExist, and every attack that is made here.
func TestTheDocumentNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	tests := declared(t, "../..")
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllSubmatch(page, -1) {
		if _, exists := tests[string(name[1])]; !exists {
			t.Errorf("%s names %s, which no package has", document, name[1])
		}
	}
	for name, body := range tests {
		if strings.Contains(body, "\ta := begin(t)") && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("%s does not name %s: add a row that says what it proves", document, name)
		}
	}
}

// declared maps the name of every test of the repository to its body.
func declared(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	test := regexp.MustCompile(`(?s)\nfunc (Test[A-Za-z0-9_]+)\(t \*testing\.T\) \{\n(.*?)\n\}\n`)
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		for _, declaration := range test.FindAllSubmatch(source, -1) {
			found[string(declaration[1])] = string(declaration[2])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

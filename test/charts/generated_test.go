package charts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const repositoryRoot = "../.."

// valuesCharts are the charts whose schema and table of values are generated.
var valuesCharts = []string{"charts/crds", "charts/platform", "charts/platform/components/operator", "charts/chrek"}

// TestSchemasAndTablesAreCurrent generates them anew.
//
// It is here and not next to the generator, which is a module of its own: Go's
// test cache does not notice changes of files outside the test's module.
func TestSchemasAndTablesAreCurrent(t *testing.T) {
	for _, pattern := range []string{"tools/valuesgen/*", "tools/go.mod"} {
		// Opened for the test cache alone, which cannot see what the child process reads.
		paths, err := filepath.Glob(filepath.Join(repositoryRoot, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			readFile(t, path)
		}
	}
	root, err := filepath.Abs(repositoryRoot)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	generate := exec.CommandContext(t.Context(), "go", "run", "./valuesgen", "-root", root, "-out", out)
	generate.Dir = filepath.Join(root, "tools")
	if output, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, output)
	}
	for _, folder := range valuesCharts {
		readFile(t, filepath.Join(root, folder, "values.yaml"))
		for _, name := range []string{"values.schema.json", "README.md"} {
			file := filepath.Join(folder, name)
			if diff := cmp.Diff(readFile(t, filepath.Join(out, file)), readFile(t, filepath.Join(root, file))); diff != "" {
				t.Errorf("%s is stale: run `make generate` (-generated +there):\n%s", file, diff)
			}
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

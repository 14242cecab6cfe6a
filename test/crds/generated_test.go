package crds

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const repositoryRoot = "../.."

// TestGeneratedFilesAreCurrent compares what the API types produce now with what is in the repository.
//
// It is here and not next to the generator, which is a module of its own: Go's test cache does not
// notice changes of files outside the test's module.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	// Opened for the test cache alone, which cannot see what the child process reads.
	readFiles(t, repositoryRoot, "tools/crdgen/*.go", "tools/go.mod", "api/*/*.go")

	root, err := filepath.Abs(repositoryRoot)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	generate := exec.CommandContext(t.Context(), "go", "run", "./crdgen", "-root", root, "-out", out)
	generate.Dir = filepath.Join(root, "tools")
	if output, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, output)
	}

	generated := []string{"api/*/zz_generated.*.go", "charts/crds/definitions/*.yaml", "charts/crds/versions/*.yaml"}
	want, got := readFiles(t, out, generated...), readFiles(t, root, generated...)
	if all := len(kinds) + len(betaKinds) + 2; len(want) != all {
		t.Errorf("%d files were generated, want %d: one for each kind and version, and two for deep copies", len(want), all)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("generated files are stale: run `make generate` (-want +got):\n%s", diff)
	}
}

// readFiles returns the contents of the files below root that match the patterns, by relative path.
func readFiles(t *testing.T, root string, patterns ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(content)
		}
	}
	return files
}

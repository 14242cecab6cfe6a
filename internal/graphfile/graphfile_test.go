package graphfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files of testdata end with what is said of them, as comments.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	known, err := Definitions()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if text, said := strings.CutPrefix(strings.TrimSpace(line), "#= "); said {
					want = append(want, text)
				}
			}
			verdict, err := Check(context.Background(), "f", data, known)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range verdict.Problems {
				got = append(got, p.String())
			}
			for _, w := range verdict.Warnings {
				got = append(got, "warning: "+w.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	for path, want := range map[string][]string{
		"spec.services[Worker].ports[0].name":  {"spec", "services", "Worker", "ports", "0", "name"},
		"metadata.annotations[nvidia.com/a.b]": {"metadata", "annotations", "nvidia.com/a.b"},
		"spec.services.Worker.replica":         {"spec", "services", "Worker", "replica"},
		"":                                     nil,
		"spec.services[unclosed":               {"spec", "services"},
	} {
		if diff := cmp.Diff(want, steps(path)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", path, diff)
		}
	}
}

// Whatever is in a file, the verdict is a verdict and no panic.
func FuzzCheck(f *testing.F) {
	f.Add("apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nspec: {services: {W: {replica: 1}}}\n")
	f.Add("a: &a [*a]\n")
	f.Add("---\n---\n- x\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = Check(context.Background(), "f", []byte(text), nil)
	})
}

// Command crdgen generates everything that follows from the API types: the deep-copy functions next
// to them, and the CustomResourceDefinitions in charts/crds/templates.
//
// Run it from the repository's root with: go run -C tools ./crdgen
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/tools/go/packages"
	"sigs.k8s.io/controller-tools/pkg/deepcopy"
	"sigs.k8s.io/controller-tools/pkg/genall"
)

// Where the results belong, from the repository's root.
const (
	apiDir  = "api/v1alpha1"
	crdsDir = "charts/crds/templates"
)

func main() {
	root := flag.String("root", "..", "the repository's root")
	out := flag.String("out", "", "folder to write below, instead of the repository's root")
	flag.Parse()
	if *out == "" {
		*out = *root
	}
	if err := generate(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "crdgen:", err)
		os.Exit(1)
	}
}

// generate reads the API types below root and writes what follows from them below out.
func generate(root, out string) error {
	var deepCopies genall.Generator = deepcopy.Generator{}
	var crds genall.Generator = crdGenerator{}
	run, err := genall.Generators{&deepCopies, &crds}.ForRootsWithConfig(&packages.Config{Dir: root}, "./"+apiDir)
	if err != nil {
		return fmt.Errorf("load %s: %w", filepath.Join(root, apiDir), err)
	}
	run.OutputRules = genall.OutputRules{ByGenerator: map[*genall.Generator]genall.OutputRule{
		&deepCopies: genall.OutputToDirectory(filepath.Join(out, apiDir)),
		&crds:       genall.OutputToDirectory(filepath.Join(out, crdsDir)),
	}}
	if failed := run.Run(); failed {
		return fmt.Errorf("generate from %s: see the errors above", filepath.Join(root, apiDir))
	}
	return nil
}

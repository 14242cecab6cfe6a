// Command crdgen generates everything that follows from the API types: the deep-copy functions next
// to them, the CustomResourceDefinitions in charts/crds/definitions, and their second versions in
// charts/crds/versions.
//
// Run it from the repository's root with: go run -C tools ./crdgen
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
	"sigs.k8s.io/controller-tools/pkg/deepcopy"
	"sigs.k8s.io/controller-tools/pkg/genall"
	"sigs.k8s.io/controller-tools/pkg/loader"
)

// Where the results belong, from the repository's root.
const (
	crdsDir = "charts/crds"
	// definitionsDir and versionsDir lie in crdsDir.
	definitionsDir, versionsDir = "definitions", "versions"
)

// apiDirs are the versions of the API. Objects are stored in the first.
var apiDirs = []string{"api/v1alpha1", "api/v1beta1"}

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
	for _, dir := range apiDirs {
		if err := run(deepcopy.Generator{}, root, filepath.Join(out, dir), dir); err != nil {
			return err
		}
	}
	return run(crdGenerator{}, root, filepath.Join(out, crdsDir), apiDirs...)
}

// run runs one generator over some folders of types.
func run(generator genall.Generator, root, out string, dirs ...string) error {
	roots := make([]string, len(dirs))
	for i, dir := range dirs {
		roots[i] = "./" + dir
	}
	runtime, err := genall.Generators{&generator}.ForRootsWithConfig(&packages.Config{Dir: root}, roots...)
	if err != nil {
		return fmt.Errorf("load %s below %s: %w", strings.Join(dirs, ", "), root, err)
	}
	runtime.OutputRules = genall.OutputRules{Default: directory(out)}
	if failed := runtime.Run(); failed {
		return fmt.Errorf("generate from %s: see the errors above", strings.Join(dirs, ", "))
	}
	return nil
}

// directory writes files below a folder, and makes the folders between.
type directory string

// Open creates a file.
func (d directory) Open(_ *loader.Package, path string) (io.WriteCloser, error) {
	path = filepath.Join(string(d), path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

// Package export says what a fleet is to Flux or Argo CD: the same releases with the
// same values in the same order, for a team that moves to GitOps. What only the
// manager can look after is refused, with what to set instead.
package export

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Fleet is what is exported.
type Fleet struct {
	// Targets are the releases, rendered.
	Targets []rollout.Target
	// Waves are the waves of the platforms, in order.
	Waves []string
	// Registry holds the charts: oci://HOST/PATH.
	Registry string
	// History is how many revisions of a release are kept.
	History int
}

// File is objects that belong together, and what to call them.
type File struct {
	Name    string
	Content []byte
}

// newFile writes objects as documents of YAML.
func newFile(name string, objects ...any) (File, error) {
	var documents []string
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
		documents = append(documents, string(text))
	}
	return File{Name: name + ".yaml", Content: []byte(strings.Join(documents, "---\n"))}, nil
}

// Charts are those that releases use, each once.
func (f Fleet) Charts() []*chart.Chart {
	var out []*chart.Chart
	for _, target := range f.Targets {
		if !slices.Contains(out, target.Source) {
			out = append(out, target.Source)
		}
	}
	return out
}

// nameOf is unique for a release: no namespace has a dot in it.
func nameOf(key fleet.Key) string { return key.Namespace + "." + key.Name }

// metadata is of every object.
type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// typed is what every object begins with.
type typed struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
}

// namespaces are those that no release is in and that a platform serves: nobody else
// makes them. They outlive the file, as tenants' graphs are in them.
func (f Fleet) namespaces(keep map[string]string) ([]File, error) {
	seen := map[string]bool{}
	for _, target := range f.Targets {
		seen[target.Namespace] = true
	}
	var objects []any
	for _, target := range f.Targets {
		for _, name := range target.Namespaces() {
			if !seen[name] {
				objects = append(objects, typed{"v1", "Namespace", metadata{Name: name, Annotations: keep}})
			}
			seen[name] = true
		}
	}
	if len(objects) == 0 {
		return nil, nil
	}
	file, err := newFile("namespaces", objects...)
	return []File{file}, err
}

package chart

import (
	"fmt"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

// Omitted lists the dependencies that are not at hand, whether on or off: what
// Helm leaves out.
func (c *Chart) Omitted() []Dependency {
	var out []Dependency
	for _, d := range c.omitted() {
		out = append(out, describe(d))
	}
	return out
}

func (c *Chart) omitted() (out []*helmchart.Dependency) {
	for _, d := range c.helm.Metadata.Dependencies {
		if !atHand(c.helm, d) {
			out = append(out, d)
		}
	}
	return out
}

// noting is what goes into a package: without what is not at hand, which an
// annotation notes.
func (c *Chart) noting() (*helmchart.Chart, error) {
	helm, omitted := c.Helm(), c.omitted()
	if len(omitted) == 0 {
		return helm, nil
	}
	text, err := yaml.Marshal(omitted)
	annotate(helm, OmittedAnnotation, string(text))
	return helm, err
}

// restore puts the dependencies that a package does not contain where they were.
func restore(helm *helmchart.Chart) error {
	text, noted := helm.Metadata.Annotations[OmittedAnnotation]
	if !noted {
		return nil
	}
	var omitted []*helmchart.Dependency
	if err := yaml.UnmarshalStrict([]byte(text), &omitted); err != nil {
		return fmt.Errorf("annotation %s is not a list of dependencies: %w", OmittedAnnotation, err)
	}
	delete(helm.Metadata.Annotations, OmittedAnnotation)
	if len(helm.Metadata.Annotations) == 0 {
		helm.Metadata.Annotations = nil
	}
	helm.Metadata.Dependencies = append(helm.Metadata.Dependencies, omitted...)
	return helm.Metadata.Validate()
}

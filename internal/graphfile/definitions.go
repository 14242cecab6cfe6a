package graphfile

import (
	"fmt"
	"io/fs"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
)

// Definitions are the CRDs that this program was built with.
func Definitions() ([]*crdsafety.Definition, error) {
	crds, err := chart.OpenFS(charts.FS(), "crds")
	if err != nil {
		return nil, fmt.Errorf("open the chart of CRDs: %w", err)
	}
	rendered, err := crds.Render(chart.Release{Name: "crds", Namespace: "default"}, nil, chart.OfflineCapabilities())
	if err != nil {
		return nil, fmt.Errorf("render the chart of CRDs: %w", err)
	}
	var definitions []*crdsafety.Definition
	for _, object := range rendered.Objects {
		if object.Kind != "CustomResourceDefinition" {
			continue
		}
		crd, err := crdsafety.Parse(object.Content)
		if err != nil {
			return nil, err
		}
		if err := addVersions(crd); err != nil {
			return nil, err
		}
		definitions = append(definitions, crd)
	}
	return definitions, nil
}

// addVersions adds the versions that a cluster serves where something converts.
func addVersions(crd *crdsafety.Definition) error {
	paths, err := fs.Glob(charts.FS(), "crds/versions/"+crd.Spec.Names.Plural+".*.yaml")
	if err != nil {
		return fmt.Errorf("look for versions of %s: %w", crd.Name, err)
	}
	for _, path := range paths {
		content, err := fs.ReadFile(charts.FS(), path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		var further []apiextensionsv1.CustomResourceDefinitionVersion
		if err := yaml.Unmarshal(content, &further); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		for _, v := range further {
			if !slices.ContainsFunc(crd.Spec.Versions, func(known apiextensionsv1.CustomResourceDefinitionVersion) bool { return known.Name == v.Name }) {
				crd.Spec.Versions = append(crd.Spec.Versions, v)
			}
		}
	}
	return nil
}

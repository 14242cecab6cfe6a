package chart

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// CRDFolder is what the crds/ folder of one chart holds. Helm renders none of
// it, installs it with the first revision and never looks at it again.
type CRDFolder struct {
	// Chart and Version name the chart that has the folder, by its alias where
	// its parent gives it one.
	Chart, Version string
	Objects        []Object
	// Digest identifies the content, short enough for a label value.
	Digest string
}

// CRDFolders lists the crds/ folders of the chart and of those of its
// dependencies that the overrides turn on.
func (c *Chart) CRDFolders(overrides map[string]any) ([]CRDFolder, error) {
	if len(c.helm.CRDObjects()) == 0 {
		return nil, nil
	}
	work := c.Helm()
	if err := util.ProcessDependencies(work, overrides); err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	out, err := foldersOf(work)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", c, err)
	}
	return out, nil
}

func foldersOf(c *helmchart.Chart) ([]CRDFolder, error) {
	folder, err := folderOf(c)
	if err != nil {
		return nil, err
	}
	var out []CRDFolder
	if len(folder.Objects) > 0 {
		out = append(out, folder)
	}
	for _, sub := range c.Dependencies() {
		below, err := foldersOf(sub)
		if err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

// folderOf reads the crds/ folder of one chart, without those of its sub-charts.
func folderOf(c *helmchart.Chart) (CRDFolder, error) {
	folder := CRDFolder{Chart: c.Name(), Version: c.Metadata.Version}
	h := sha256.New()
	for _, file := range c.Files {
		if !strings.HasPrefix(file.Name, "crds/") || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file.Name)) {
			continue
		}
		objects, err := ParseManifest(string(file.Data))
		if err != nil {
			return folder, fmt.Errorf("%s of %s: %w", file.Name, c.Name(), err)
		}
		addBytes(h, file.Data)
		folder.Objects = append(folder.Objects, objects...)
	}
	folder.Digest = shortDigest(h)
	return folder, nil
}

// CRDs lists the objects of all CRDFolders.
func (c *Chart) CRDs(overrides map[string]any) ([]Object, error) {
	folders, err := c.CRDFolders(overrides)
	var out []Object
	for _, folder := range folders {
		out = append(out, folder.Objects...)
	}
	return out, err
}

package export

import (
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// fluxNamespace is where Flux's own objects are: tenants must not edit them, because
// Flux acts with rights of its own.
const fluxNamespace = "flux-system"

// interval is how often Flux looks.
const interval = "1h"

// fluxUnpruned keeps a namespace that has left the repository.
var fluxUnpruned = map[string]string{"kustomize.toolkit.fluxcd.io/prune": "disabled"}

type ociRepository struct {
	typed
	Spec ociRepositorySpec `json:"spec"`
}

type ociRepositorySpec struct {
	Interval string `json:"interval"`
	URL      string `json:"url"`
	Ref      struct {
		Tag string `json:"tag"`
	} `json:"ref"`
	LayerSelector layerSelector `json:"layerSelector"`
}

type layerSelector struct {
	MediaType string `json:"mediaType"`
	Operation string `json:"operation"`
}

type helmRelease struct {
	typed
	Spec helmReleaseSpec `json:"spec"`
}

type helmReleaseSpec struct {
	Interval         string         `json:"interval"`
	ReleaseName      string         `json:"releaseName"`
	TargetNamespace  string         `json:"targetNamespace"`
	StorageNamespace string         `json:"storageNamespace"`
	MaxHistory       int            `json:"maxHistory"`
	DependsOn        []reference    `json:"dependsOn,omitempty"`
	ChartRef         reference      `json:"chartRef"`
	Install          helmAction     `json:"install"`
	Upgrade          helmAction     `json:"upgrade"`
	Values           map[string]any `json:"values,omitempty"`
}

type reference struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name"`
}

type helmAction struct {
	// CRDs says what becomes of crds/ folders of charts.
	CRDs            string `json:"crds"`
	CreateNamespace bool   `json:"createNamespace,omitempty"`
}

// Flux gives a HelmRelease for each release and an OCIRepository for each chart.
func Flux(f Fleet) ([]File, error) {
	if err := f.refuse("Flux"); err != nil {
		return nil, err
	}
	files, err := f.namespaces(fluxUnpruned)
	if err != nil {
		return nil, err
	}
	var sources []any
	for _, c := range f.Charts() {
		sources = append(sources, f.source(c))
	}
	file, err := newFile("charts", sources...)
	if err != nil {
		return nil, err
	}
	files = append(files, file)
	order := f.order()
	for _, target := range f.Targets {
		release, err := f.helmRelease(target, order[target.Key])
		if err != nil {
			return nil, err
		}
		file, err := newFile(nameOf(target.Key), release)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// source is where Flux fetches a chart: its package as it is, as Helm's own would be.
func (f Fleet) source(c *chart.Chart) ociRepository {
	out := ociRepository{
		typed: typed{"source.toolkit.fluxcd.io/v1", "OCIRepository", metadata{Name: c.Name(), Namespace: fluxNamespace}},
		Spec: ociRepositorySpec{
			Interval: interval, URL: f.Registry + "/" + c.Name(),
			LayerSelector: layerSelector{MediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", Operation: "copy"},
		},
	}
	// Registries take no plus in a tag; Helm writes it so.
	out.Spec.Ref.Tag = strings.ReplaceAll(c.Version(), "+", "_")
	return out
}

func (f Fleet) helmRelease(target rollout.Target, after []fleet.Key) (helmRelease, error) {
	folders, err := target.Source.CRDFolders(target.Overrides.PlainMap())
	if err != nil {
		return helmRelease{}, err
	}
	definitions := "Skip"
	if len(folders) > 0 {
		definitions = "CreateReplace"
	}
	var dependsOn []reference
	for _, key := range after {
		dependsOn = append(dependsOn, reference{Name: nameOf(key)})
	}
	return helmRelease{
		typed: typed{"helm.toolkit.fluxcd.io/v2", "HelmRelease", metadata{Name: nameOf(target.Key), Namespace: fluxNamespace}},
		Spec: helmReleaseSpec{
			Interval: interval, ReleaseName: target.Name, TargetNamespace: target.Namespace, StorageNamespace: target.Namespace, MaxHistory: f.History,
			DependsOn: dependsOn, ChartRef: reference{Kind: "OCIRepository", Name: target.Source.Name()},
			Install: helmAction{CRDs: definitions, CreateNamespace: true}, Upgrade: helmAction{CRDs: definitions}, Values: values(target),
		},
	}, nil
}

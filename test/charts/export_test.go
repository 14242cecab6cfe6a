package charts

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/export"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// exportedFleets are fleets that can leave for GitOps, by their spec.
var exportedFleets = map[string]string{
	"restricted tenants, with NATS": `
  waves: [canary, all]
  profiles: [gitops]
  platforms:
    - {namespace: team-a-platform, serves: team-a, wave: canary, values: {platform: {dynamo-operator: {webhook: {enabled: false}}}}}
    - {namespace: team-b, wave: all, values: {platform: {dynamo-operator: {controllerManager: {tolerations: [{key: gpu, operator: Exists}], replicas: 3}}}}}
`,
	"certificates by cert-manager, in both versions": `
  crds: {conversion: true}
  values:
    - conversion: {certificate: {certManager: true}}
      crds: {conversion: {certManager: true}}
      platform: {nats: {enabled: false}, dynamo-operator: {webhook: {enabled: true, certManager: {enabled: true}}}}
  platforms: [{namespace: a}, {namespace: b-platform, serves: b}]
`,
	"checkpoints, cluster-wide": `
  shared:
    registry: mirror.example.com/team
    checkpoint: {enabled: true, storage: {size: 500Gi, class: shared-nfs}}
  history: 4
  platforms: [{namespace: platform, scope: cluster, checkpoint: {namespaces: [team-a, team-b]}}]
`,
}

type dependencies func(chart.Dependency) (*chart.Chart, error)

func (d dependencies) Find(wanted chart.Dependency, _ signature.Policy) (*chart.Chart, error) {
	return d(wanted)
}

// exportable reads a fleet, with stand-ins for third-party charts.
func exportable(t *testing.T, spec string) export.Fleet {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: x}\nspec:"+spec), 0o600); err != nil {
		t.Fatal(err)
	}
	find := dependencies(func(d chart.Dependency) (*chart.Chart, error) {
		return chart.Open(filepath.Join(repositoryRoot, "test/thirdparty/charts", d.Name))
	})
	desired, err := rollout.Read(rollout.Source{File: file, Files: fleet.Disk{}, Charts: charts.FS(), Profiles: charts.Profiles(), Dependencies: find})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := desired.Targets(t.Context(), chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return export.Fleet{Targets: targets, Waves: desired.Set.Waves, Registry: "oci://registry.example.com/team/charts", History: desired.Fleet.History}
}

// exported is what matters of an Application or a HelmRelease.
type exported struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		ReleaseName     string         `json:"releaseName"`
		TargetNamespace string         `json:"targetNamespace"`
		Values          map[string]any `json:"values"`
		ChartRef        struct {
			Name string `json:"name"`
		} `json:"chartRef"`
		Destination struct {
			Namespace string `json:"namespace"`
		} `json:"destination"`
		Source struct {
			Chart string `json:"chart"`
			Helm  struct {
				ReleaseName  string         `json:"releaseName"`
				ValuesObject map[string]any `json:"valuesObject"`
			} `json:"helm"`
		} `json:"source"`
	} `json:"spec"`
}

// TestWhatIsExportedRendersTheSame: the packages that go into the registry, with the values
// and names of the objects, give the manifest of the fleet to the byte; and the objects hold
// to the definitions that Flux and Argo CD ship.
func TestWhatIsExportedRendersTheSame(t *testing.T) {
	for name, spec := range exportedFleets {
		for tool, as := range map[string]func(export.Fleet) ([]export.File, error){"Flux": export.Flux, "Argo CD": export.ArgoCD} {
			t.Run(tool+"/"+name, func(t *testing.T) {
				of := exportable(t, spec)
				files, err := as(of)
				if err != nil {
					t.Fatal(err)
				}
				packages := map[string]*chart.Chart{}
				for _, c := range of.Charts() {
					if packages[c.Name()], err = chart.Open(packaged(t, c)); err != nil {
						t.Fatal(err)
					}
				}
				manifests := map[fleet.Key]string{}
				for _, file := range files {
					for _, document := range bytes.Split(file.Content, []byte("---\n")) {
						if key, manifest := renderExported(t, packages, document); manifest != "" {
							manifests[key] = manifest
						}
					}
				}
				for _, target := range of.Targets {
					if manifests[target.Key] != target.Rendered.Manifest {
						t.Errorf("release %s differs", target.Key)
					}
				}
				if len(manifests) != len(of.Targets) {
					t.Errorf("%d releases of %d", len(manifests), len(of.Targets))
				}
			})
		}
	}
}

// renderExported renders a release as its tool would; nothing for other objects.
func renderExported(t *testing.T, packages map[string]*chart.Chart, document []byte) (fleet.Key, string) {
	t.Helper()
	var o exported
	if err := yaml.Unmarshal(document, &o); err != nil {
		t.Fatal(err)
	}
	if o.Kind != "Namespace" {
		if faults := holdsToItsKind(t, chart.Object{APIVersion: o.APIVersion, Kind: o.Kind, Content: string(document)}); len(faults) > 0 {
			t.Errorf("%s\n%s", strings.Join(faults, "; "), document)
		}
	}
	release := chart.Release{Name: o.Spec.ReleaseName, Namespace: o.Spec.TargetNamespace}
	name, values := o.Spec.ChartRef.Name, o.Spec.Values
	switch o.Kind {
	case "Application":
		release = chart.Release{Name: o.Spec.Source.Helm.ReleaseName, Namespace: o.Spec.Destination.Namespace}
		name, values = o.Spec.Source.Chart, o.Spec.Source.Helm.ValuesObject
	case "HelmRelease":
	default:
		return fleet.Key{}, ""
	}
	if values == nil {
		values = map[string]any{}
	}
	rendered, err := packages[name].Render(release, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Key{Namespace: release.Namespace, Name: release.Name}, rendered.Manifest
}

// TestExportedObjectsThatAreWrongAreFound, so that the test above can fail.
func TestExportedObjectsThatAreWrongAreFound(t *testing.T) {
	of := exportable(t, exportedFleets["restricted tenants, with NATS"])
	flux, err := export.Flux(of)
	if err != nil {
		t.Fatal(err)
	}
	argo, err := export.ArgoCD(of)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, file := range append(flux, argo...) {
		text += "---\n" + string(file.Content)
	}
	for kind, wrong := range map[string]struct{ old, new, fault string }{
		"HelmRelease":   {"crds: Skip", "crds: Sometimes", "spec.install.crds"},
		"OCIRepository": {"operation: copy", "operation: move", "spec.layerSelector.operation"},
		"Application":   {"releaseName:", "release:", "spec.source.helm.release: there is no such field"},
	} {
		for document := range strings.SplitSeq(text, "---\n") {
			var o exported
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatal(err)
			}
			if o.Kind != kind {
				continue
			}
			broken := chart.Object{APIVersion: o.APIVersion, Kind: kind, Content: strings.Replace(document, wrong.old, wrong.new, 1)}
			if faults := strings.Join(holdsToItsKind(t, broken), "; "); !strings.Contains(faults, wrong.fault) {
				t.Errorf("%s with %q: %q, want %q", kind, wrong.new, faults, wrong.fault)
			}
		}
	}
}

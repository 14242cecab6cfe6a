package charts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
)

// definedKinds are where the definitions of custom kinds are: those that the
// projects themselves ship, in the modules of kinds/go.mod, and our fixtures.
var definedKinds = map[string][]string{
	"github.com/cert-manager/cert-manager":               {"deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"},
	"github.com/argoproj/argo-cd/v3":                     {"manifests/crds/application-crd.yaml"},
	"github.com/fluxcd/helm-controller":                  {"config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml"},
	"github.com/fluxcd/source-controller":                {"config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml"},
	"github.com/prometheus-operator/prometheus-operator": {"example/prometheus-operator-crd/monitoring.coreos.com_*monitors.yaml", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"},
	fixtures: {"kai-scheduler/crds/*.yaml", "grove-charts/crds/*.yaml"},
}

const fixtures = "fixtures"

// customKind treats objects of one kind as the API server does.
type customKind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// faults lists fields that the kind does not have, and values that it refuses.
func (k customKind) faults(t *testing.T, content string) (faults []string) {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal([]byte(content), &object); err != nil {
		t.Fatal(err)
	}
	for _, err := range validation.ValidateCustomResource(nil, object, k.validator) {
		faults = append(faults, err.Error())
	}
	if k.rules != nil {
		found, _ := k.rules.Validate(t.Context(), nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
		for _, err := range found {
			faults = append(faults, err.Error())
		}
	}
	unknown := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, k.structural, true, unknown) {
		faults = append(faults, path+": there is no such field")
	}
	return faults
}

var customKinds = sync.OnceValues(func() (map[string]customKind, error) {
	folders, err := moduleFolders()
	if err != nil {
		return nil, err
	}
	kinds := map[string]customKind{}
	for module, patterns := range definedKinds {
		for _, pattern := range patterns {
			files, err := filepath.Glob(filepath.Join(folders[module], pattern))
			if err != nil || len(files) == 0 {
				return nil, errors.Join(err, fmt.Errorf("%s has no definitions of kinds at %s", module, pattern))
			}
			for _, file := range files {
				if err := addKinds(kinds, file); err != nil {
					return nil, err
				}
			}
		}
	}
	return kinds, nil
})

// moduleFolders asks Go where it keeps the modules of kinds/go.mod.
func moduleFolders() (map[string]string, error) {
	list := exec.CommandContext(context.Background(), "go", "mod", "download", "-json")
	list.Dir = "kinds"
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w\n%s", err, output)
	}
	folders := map[string]string{fixtures: filepath.Join(repositoryRoot, "test/thirdparty/charts")}
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var module struct{ Path, Dir string }
		if err := decoder.Decode(&module); errors.Is(err, io.EOF) {
			return folders, nil
		} else if err != nil {
			return nil, err
		}
		folders[module.Path] = module.Dir
	}
}

func addKinds(kinds map[string]customKind, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// Documents may consist of comments alone.
	for _, document := range regexp.MustCompile(`(?m)^---\s*$`).Split(string(data), -1) {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if object == nil {
			continue
		}
		if err := addKind(kinds, document); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func addKind(kinds map[string]customKind, document string) error {
	definition, err := crdsafety.Parse(document)
	if err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		var internal apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
			return err
		}
		structural, err := schema.NewStructural(&internal)
		if err != nil {
			return err
		}
		validator, _, err := validation.NewSchemaValidator(&internal)
		if err != nil {
			return err
		}
		kinds[definition.Spec.Group+"/"+version.Name+" "+definition.Spec.Names.Kind] = customKind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return nil
}

// holdsToItsKind compares an object of a custom kind with its definition.
func holdsToItsKind(t *testing.T, object chart.Object) []string {
	t.Helper()
	kinds, err := customKinds()
	if err != nil {
		t.Fatal(err)
	}
	kind, known := kinds[object.APIVersion+" "+object.Kind]
	if !known {
		return []string{"nothing is known of " + object.APIVersion + " " + object.Kind}
	}
	return kind.faults(t, object.Content)
}

// TestObjectsOfOtherProjectsKindsHoldToTheirDefinitions, as those projects
// ship them; a field or value that they do not have is found.
func TestObjectsOfOtherProjectsKindsHoldToTheirDefinitions(t *testing.T) {
	rendered := render(t, `
dynamo-operator:
  webhook: {certManager: {enabled: true}}
  dynamo: {metrics: {podMonitors: {enabled: true}}}
  metricsService: {serviceMonitor: {enabled: true}}
`)
	wrong := map[string]struct{ old, new, fault string }{
		"PodMonitor":     {"podMetricsEndpoints:", "podMetricEndpoints:", "podMetricEndpoints: there is no such field"},
		"ServiceMonitor": {"scheme: https", "scheme: tls", "endpoints[0].scheme"},
		"Certificate":    {"duration:", "validity:", "spec.validity: there is no such field"},
		"Issuer":         {"selfSigned: {}", "selfSigned: true", "spec.selfSigned"},
	}
	tried := map[string]bool{}
	for _, object := range rendered.Objects {
		fault, custom := wrong[object.Kind]
		if !custom {
			continue
		}
		if faults := holdsToItsKind(t, object); len(faults) > 0 {
			t.Errorf("%s: %s", object, strings.Join(faults, "; "))
		}
		broken := object
		broken.Content = strings.ReplaceAll(object.Content, fault.old, fault.new)
		if broken.Content == object.Content {
			continue
		}
		if faults := strings.Join(holdsToItsKind(t, broken), "; "); !strings.Contains(faults, fault.fault) {
			t.Errorf("%s with %q: %q, want %q", object, fault.new, faults, fault.fault)
		}
		tried[object.Kind] = true
	}
	if len(tried) != len(wrong) {
		t.Errorf("tried %v, want %d kinds", tried, len(wrong))
	}
}

// TestTheMonitorOfAgentsHoldsToItsDefinition: no server of the tests knows its kind.
func TestTheMonitorOfAgentsHoldsToItsDefinition(t *testing.T) {
	agents, err := chart.OpenFS(charts.FS(), "chrek")
	if err != nil {
		t.Fatal(err)
	}
	monitors := 0
	for _, object := range renderAs(t, agents, "chrek", `podMonitor: {enabled: true, labels: {release: prometheus}, interval: 1m}`).Objects {
		if object.Kind != "PodMonitor" {
			continue
		}
		monitors++
		if faults := holdsToItsKind(t, object); len(faults) > 0 {
			t.Errorf("%s: %s", object, strings.Join(faults, "; "))
		}
	}
	if monitors != 1 {
		t.Errorf("%d monitors", monitors)
	}
}

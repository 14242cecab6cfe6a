// Package crds tests the API types and the chart that carries their definitions, as users meet them:
// as a Helm release, and on a real API server.
package crds

import (
	"io"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "../../charts/crds"
	releaseName = "dynamo-crds"
	namespace   = "default"

	// secretLimit is the most that a Secret may hold, in bytes.
	secretLimit = 1 << 20
	// annotationLimit is the most that all annotations of an object may hold, in bytes. Client-side
	// `kubectl apply` keeps the whole object in one.
	annotationLimit = 256 << 10
)

// install installs the chart without a cluster and returns the manifest; records receives the release.
func install(records typedcorev1.SecretInterface, values map[string]any) (string, error) {
	loaded, err := loader.LoadDir(chartDir)
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{
		Releases:     storage.Init(driver.NewSecrets(records)),
		KubeClient:   &kubefake.PrintingKubeClient{Out: io.Discard, LogOutput: io.Discard},
		Capabilities: &common.Capabilities{KubeVersion: common.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}},
	})
	install.ReleaseName = releaseName
	install.Namespace = namespace
	installed, err := install.Run(loaded, values)
	if err != nil {
		return "", err
	}
	return installed.(*release.Release).Manifest, nil
}

// definitions returns the definitions of the chart, by kind. They are shared: do not change them.
func definitions(t *testing.T) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	byKind, err := renderedDefinitions()
	if err != nil {
		t.Fatal(err)
	}
	return byKind
}

var renderedDefinitions = sync.OnceValues(func() (map[string]*apiextensionsv1.CustomResourceDefinition, error) {
	manifest, err := install(fake.NewClientset().CoreV1().Secrets(namespace), nil)
	if err != nil {
		return nil, err
	}
	byKind := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if !strings.Contains(document, "\nkind: CustomResourceDefinition\n") {
			continue
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(document), definition); err != nil {
			return nil, err
		}
		byKind[definition.Spec.Names.Kind] = definition
	}
	return byKind, nil
})

func TestReleaseRecordStaysFarBelowTheLimitOfASecret(t *testing.T) {
	records := fake.NewClientset().CoreV1().Secrets(namespace)
	if _, err := install(records, nil); err != nil {
		t.Fatal(err)
	}
	secrets, err := records.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(secrets.Items) != 1 {
		t.Fatalf("got %d release records, want 1", len(secrets.Items))
	}
	size := len(secrets.Items[0].Data["release"])
	percent := 100 * float64(size) / secretLimit
	t.Logf("the release record has %d bytes, %.1f %% of what a Secret may hold", size, percent)
	if percent >= 40 {
		t.Errorf("the release record takes %.1f %% of a Secret, want less than 40 %%", percent)
	}
}

func TestDefinitionsFitIntoAnAnnotation(t *testing.T) {
	for kind, definition := range definitions(t) {
		content, err := yaml.Marshal(definition)
		if err != nil {
			t.Fatal(err)
		}
		asJSON, err := yaml.YAMLToJSON(content)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes of YAML, %d bytes of JSON", kind, len(content), len(asJSON))
		if len(asJSON) >= annotationLimit {
			t.Errorf("%s: %d bytes of JSON, too many for client-side kubectl apply (%d)", kind, len(asJSON), annotationLimit)
		}
	}
}

func TestEveryDefinitionSurvivesAnUninstall(t *testing.T) {
	found := definitions(t)
	for kind := range kinds {
		definition, ok := found[kind]
		if !ok {
			t.Errorf("the chart has no definition of %s", kind)
			continue
		}
		if policy := definition.Annotations["helm.sh/resource-policy"]; policy != "keep" {
			t.Errorf("%s: helm.sh/resource-policy is %q, want keep", kind, policy)
		}
	}
	if len(found) != len(kinds) {
		t.Errorf("the chart has %d definitions, want %d", len(found), len(kinds))
	}
}

func TestNames(t *testing.T) {
	found := definitions(t)
	for kind, want := range map[string]struct{ plural, short string }{
		"DynamoGraphDeployment":               {"dynamographdeployments", "dgd"},
		"DynamoComponentDeployment":           {"dynamocomponentdeployments", "dcd"},
		"DynamoGraphDeploymentRequest":        {"dynamographdeploymentrequests", "dgdr"},
		"DynamoModel":                         {"dynamomodels", "dm"},
		"DynamoCheckpoint":                    {"dynamocheckpoints", "dckpt"},
		"DynamoGraphDeploymentScalingAdapter": {"dynamographdeploymentscalingadapters", "dgdsa"},
		"DynamoWorkerMetadata":                {"dynamoworkermetadatas", "dwm"},
	} {
		names := found[kind].Spec.Names
		if names.Plural != want.plural || len(names.ShortNames) != 1 || names.ShortNames[0] != want.short {
			t.Errorf("%s: got plural %s and short names %v, want %s and [%s]", kind, names.Plural, names.ShortNames, want.plural, want.short)
		}
	}
}

func TestValues(t *testing.T) {
	for name, test := range map[string]struct {
		values map[string]any
		want   string // in the error; empty if the values are fine
	}{
		"none":            {values: nil},
		"Helm's global":   {values: map[string]any{"global": map[string]any{"imageRegistry": "registry.example.com"}}},
		"any other value": {values: map[string]any{"installCRDs": true}, want: "installCRDs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := install(fake.NewClientset().CoreV1().Secrets(namespace), test.values)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got error %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want one that names %s", err, test.want)
			}
		})
	}
}

package validate

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// expect compares errors with the one that is wanted; empty means none.
func expect(t *testing.T, errs field.ErrorList, want string) {
	t.Helper()
	if want == "" && len(errs) > 0 {
		t.Errorf("got %v, want no error", errs.ToAggregate())
	}
	if want != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), want)) {
		t.Errorf("got %v, want %q", errs.ToAggregate(), want)
	}
}

func TestModel(t *testing.T) {
	for name, tc := range map[string]struct{ model, want string }{
		"base":            {"spec: {modelName: a, baseModelName: a, modelType: base}", ""},
		"adapter":         {"spec: {modelName: a, baseModelName: a, modelType: adapter}", ""},
		"no name":         {"spec: {baseModelName: a}", "spec.modelName: Required value"},
		"no base":         {"spec: {modelName: a}", "spec.baseModelName: Required value"},
		"lora, s3":        {"spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 's3://bucket/a'}}", ""},
		"lora, hf":        {"spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 'hf://org/a'}}", ""},
		"lora, no source": {"spec: {modelName: a, baseModelName: b, modelType: lora}", "spec.source: Required value"},
		"lora, no uri":    {"spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: ''}}", "spec.source.uri: Required value"},
		"lora, http":      {"spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 'http://a'}}", "must start with s3:// or hf://"},
	} {
		t.Run(name, func(t *testing.T) { expect(t, Model(decode[v1alpha1.DynamoModel](t, tc.model)), tc.want) })
	}
}

func TestModelUpdate(t *testing.T) {
	old := decode[v1alpha1.DynamoModel](t, "spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 's3://a'}}")
	for name, tc := range map[string]struct{ updated, want string }{
		"the weights":    {"spec: {modelName: a, baseModelName: b, modelType: lora, source: {uri: 's3://b'}}", ""},
		"the type":       {"spec: {modelName: a, baseModelName: b, modelType: base}", `spec.modelType: Forbidden: cannot change from "lora" to "base"`},
		"the base model": {"spec: {modelName: a, baseModelName: c, modelType: lora}", `spec.baseModelName: Forbidden: cannot change from "b" to "c"`},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ModelUpdate(old, decode[v1alpha1.DynamoModel](t, tc.updated)), tc.want)
		})
	}
}

func TestRequest(t *testing.T) {
	const good = "{profilerImage: x, config: {engine: {backend: vllm}, deployment: {model: m}}}"
	for name, tc := range map[string]struct {
		request    string
		restricted bool
		want       string
		warnings   []string
	}{
		"good":                      {"spec: {model: m, backend: vllm, profilingConfig: " + good + "}", false, "", nil},
		"the platform's image":      {"spec: {model: m, backend: vllm, profilingConfig: {profilerImage: '', config: {}}}", false, "", nil},
		"another graph":             {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, metadata: {labels: {a: b}}, spec: {components: [{name: W, replicas: 2}]}}}, profilingConfig: " + good + "}", false, "", nil},
		"in the first version":      {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, spec: {services: {W: {replicas: 2}}}}}, profilingConfig: " + good + "}", false, "", nil},
		"of no version":             {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: v2, kind: DynamoGraphDeployment}}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.dgd.apiVersion: Unsupported value", nil},
		"of another kind":           {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: v1, kind: Pod}}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.dgd.kind: Unsupported value", nil},
		"with an unknown field":     {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {services: {}}}}, profilingConfig: " + good + "}", false, `unknown field "services"`, nil},
		"with a status":             {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, status: {}}}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.dgd.status: Forbidden", nil},
		"with a namespace":          {"spec: {model: m, backend: vllm, deploymentOverrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, metadata: {namespace: b}}}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.dgd.metadata: Forbidden", nil},
		"no config":                 {"spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x}}", false, "spec.profilingConfig.config: Required value", nil},
		"config is a list":          {"spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: [1]}}", false, "spec.profilingConfig.config: Invalid value", nil},
		"GPU discovery":             {"spec: {model: m, backend: vllm, enableGpuDiscovery: true, profilingConfig: " + good + "}", false, "", nil},
		"GPU discovery, restricted": {"spec: {model: m, backend: vllm, enableGpuDiscovery: true, profilingConfig: " + good + "}", true, "spec.enableGpuDiscovery: Forbidden", nil},
		"other backend and model": {"spec: {model: big, backend: sglang, profilingConfig: " + good + "}", false, "", []string{
			"spec.profilingConfig.config.engine.backend is vllm, and is replaced by spec.backend, which is sglang",
			"spec.profilingConfig.config.deployment.model is m, and is replaced by spec.model, which is big",
		}},
		"config of another shape": {"spec: {model: big, backend: sglang, profilingConfig: {profilerImage: x, config: {engine: vllm}}}", false, "spec.profilingConfig.config.engine: Invalid value", nil},
		"long name":               {"{metadata: {name: " + strings.Repeat("a", 52) + "}, spec: {model: m, backend: vllm, profilingConfig: " + good + "}}", false, "metadata.name: Invalid value", nil},
		"large":                   {"spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: {a: " + strings.Repeat("a", largestRequest) + "}}}", false, "KiB is the most", nil},
		"elsewhere":               {"{metadata: {namespace: a}, spec: {model: m, backend: vllm, deploymentOverrides: {namespace: b}, profilingConfig: " + good + "}}", false, "", nil},
		"elsewhere, restricted":   {"{metadata: {namespace: a}, spec: {model: m, backend: vllm, deploymentOverrides: {namespace: b}, profilingConfig: " + good + "}}", true, "spec.deploymentOverrides.namespace: Forbidden", nil},
		"here, restricted":        {"{metadata: {namespace: a}, spec: {model: m, backend: vllm, deploymentOverrides: {namespace: a}, profilingConfig: " + good + "}}", true, "", nil},
		"wrong names":             {"spec: {model: m, backend: vllm, deploymentOverrides: {name: A_}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.name: Invalid value", nil},
		"wrong labels":            {"spec: {model: m, backend: vllm, deploymentOverrides: {labels: {a: 'b c'}}, profilingConfig: " + good + "}", false, "spec.deploymentOverrides.labels[a]: Invalid value", nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			if tc.restricted {
				cfg.Namespace.Restricted = "a"
			}
			errs, warnings := Request(decode[v1alpha1.DynamoGraphDeploymentRequest](t, tc.request), cfg)
			expect(t, errs, tc.want)
			if strings.Join(warnings, "\n") != strings.Join(tc.warnings, "\n") {
				t.Errorf("warnings %q, want %q", warnings, tc.warnings)
			}
		})
	}
}

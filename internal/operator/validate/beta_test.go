package validate

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// Whatever only v1beta1 can say has an effect, is refused, or is told to have none; what is found in
// v1alpha1's words is said in v1beta1's.
func TestBetaGraphs(t *testing.T) {
	for _, test := range []struct{ spec, said string }{
		{`topologyConstraint: {packDomain: rack}`, "spec.topologyConstraint: Forbidden"},
		{`providerOverride: {apiVersion: v, value: {}}`, "spec.providerOverride: Forbidden"},
		{`experimental: {kvTransferPolicy: {labelKey: a}}`, "spec.experimental.kvTransferPolicy: Forbidden"},
		{`components: [{name: W, topologyConstraint: {packDomain: rack}}]`, "spec.components[name=W].topologyConstraint: Forbidden"},
		{`components: [{name: W, providerOverride: {apiVersion: v, value: {}}}]`, "spec.components[name=W].providerOverride: Forbidden"},
		{`components: [{name: W, multinode: {nodeCount: 2, leader: {providerOverride: {apiVersion: v, value: {}}}}}]`, "spec.components[name=W].multinode.leader.providerOverride: Forbidden"},
		{`components: [{name: W, experimental: {gpuMemoryService: {mode: IntraPod}}}]`, "spec.components[name=W].experimental.gpuMemoryService: Forbidden"},
		{`components: [{name: W, experimental: {failover: {mode: IntraPod}}}]`, "spec.components[name=W].experimental.failover: Forbidden"},
		{`components: [{name: W, experimental: {grove: {forceScalingGroup: true}}}]`, "spec.components[name=W].experimental.grove.forceScalingGroup: Forbidden"},
		{`components: [{name: W, experimental: {checkpoint: {enabled: false, startupPolicy: WaitForCheckpoint}}}]`, "spec.components[name=W].experimental.checkpoint.startupPolicy: Forbidden"},
		{`components: [{name: W, experimental: {checkpoint: {enabled: false, deletionPolicy: Delete}}}]`, "spec.components[name=W].experimental.checkpoint.deletionPolicy: this platform keeps"},
		{`components: [{name: W, experimental: {checkpoint: {enabled: false, job: {}}}}]`, "spec.components[name=W].experimental.checkpoint.job: Forbidden"},
		{`components: [{name: W, podTemplate: {metadata: {finalizers: [a/b]}}}]`, "spec.components[name=W].podTemplate.metadata: Forbidden"},
		{`components: [{name: W, runtimeVersionOverride: 1.2.3}]`, "spec.components[name=W].runtimeVersionOverride is noted"},
		{`components: [{name: W, frontendSidecar: f}]`, `spec.components[name=W].frontendSidecar: Invalid value: "f"`},
		{`components: [{name: W, minAvailable: 2}]`, `spec.components[name=W].minAvailable: Invalid value: "2"`},
		{`components: [{name: W, podTemplate: {spec: {restartPolicy: Never}}}]`, "spec.components[name=W].podTemplate.spec.restartPolicy: Unsupported value"},
		{`components: [{name: W, podTemplate: {spec: {containers: [{name: main}, {name: s, livenessProbe: {}}]}}}]`, "spec.components[name=W].podTemplate.spec.containers[name=s].livenessProbe: Required value"},
		{`components: [{name: W, podTemplate: {spec: {containers: [{name: main, livenessProbe: {}}]}}}]`, "spec.components[name=W].podTemplate.spec.containers[name=main].livenessProbe: Required value"},
		{`components: []`, "spec.components: Required value"},
	} {
		dgd := &v1beta1.DynamoGraphDeployment{}
		if err := yaml.UnmarshalStrict([]byte("metadata: {name: g, namespace: n}\nspec: {"+test.spec+"}"), dgd); err != nil {
			t.Fatalf("%s: %v", test.spec, err)
		}
		stored := conversion.GraphToAlpha(dgd)
		errs, warnings := Graph(stored, config.Unknown())
		errs, warnings = InBeta(errs, warnings, stored)
		for _, err := range errs {
			warnings = append(warnings, err.Error())
		}
		if !slices.ContainsFunc(warnings, func(said string) bool { return strings.HasPrefix(said, test.said) }) {
			t.Errorf("%s: want %q, got %q", test.spec, test.said, warnings)
		}
	}
}

func TestBetaRequests(t *testing.T) {
	for spec, want := range map[string]string{
		`overrides: {dgd: {apiVersion: a, kind: b}}`: "spec.overrides.dgd.kind: Unsupported value",
		`overrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {components: [{name: Frontend}]}}}`: "",
		`overrides: {profilingJob: {backoffLimit: 1}}`: "spec.overrides.profilingJob: Forbidden",
		`overrides: {profilingJob: {template: {spec: {tolerations: [{key: a}], nodeSelector: {b: c}, containers: [{name: profiler}]}}}}`: "",
	} {
		dgdr := &v1beta1.DynamoGraphDeploymentRequest{}
		if err := yaml.UnmarshalStrict([]byte("metadata: {name: r, namespace: n}\nspec: {model: m, "+spec+"}"), dgdr); err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		stored := conversion.RequestToAlpha(dgdr)
		errs, warnings := Request(stored, config.Default())
		errs, _ = InBeta(errs, warnings, stored)
		got := ""
		for _, err := range errs {
			got += err.Error() + "\n"
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: want %q, got %q", spec, want, got)
		}
	}
}

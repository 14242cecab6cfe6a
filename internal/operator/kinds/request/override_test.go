package request

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const recommended = `
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: g}
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer: {image: x, env: [{name: A, value: "1"}, {name: B, value: "2"}], args: [a, b], volumeMounts: [{name: v, mountPath: /v}]}
        volumes: [{name: v, emptyDir: {}}]
    Worker: {componentType: worker, replicas: 1, ingress: {enabled: false}, extraPodSpec: {mainContainer: {image: x}, tolerations: [{key: a}]}}
`

// Either version may say what is to be otherwise, and what it does not say stays.
func TestWhatARequestOverridesIsMerged(t *testing.T) {
	for name, tc := range map[string]struct{ override, spec string }{
		"v1beta1": {`{apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {components: [
			{name: Frontend, podTemplate: {spec: {containers: [{name: main, args: [c], env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: DYN_ROUTER_MODE, value: kv}]}, {name: log, image: z}]}}},
			{name: Worker, replicas: 3, podTemplate: {spec: {tolerations: [{key: b}]}}}]}}`, `
services:
  Frontend:
    componentType: frontend
    extraPodSpec:
      containers: [{name: log, image: z}]
      mainContainer:
        image: x
        args: [c]
        env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: B, value: "2"}, {name: DYN_ROUTER_MODE, value: kv}]
        volumeMounts: [{name: v, mountPath: /v}]
      volumes: [{name: v, emptyDir: {}}]
  Worker: {componentType: worker, replicas: 3, ingress: {enabled: false}, extraPodSpec: {mainContainer: {image: x}, tolerations: [{key: b}]}}
`},
		"v1alpha1": {`{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, spec: {services: {
			Frontend: null, Worker: {ingress: null, extraPodSpec: {mainContainer: {volumeMounts: [{name: v, mountPath: /v}]}, volumes: [{name: v, emptyDir: {}}]}}}}}`, `
services:
  Worker: {componentType: worker, replicas: 1, extraPodSpec: {mainContainer: {image: x, volumeMounts: [{name: v, mountPath: /v}]}, tolerations: [{key: a}], volumes: [{name: v, emptyDir: {}}]}}
`},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := resultOf(map[string]string{render.ProfilingResult: recommended}, asking(t, tc.override), &asking(t, tc.override).Spec, config.Default())
			if err != nil {
				t.Fatal(err)
			}
			var want v1alpha1.DynamoGraphDeploymentSpec
			if err := yaml.UnmarshalStrict([]byte(tc.spec), &want); err != nil {
				t.Fatal(err)
			}
			got, wanted := text(t, found.graph.Spec), text(t, want)
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What comes of the merge is looked at like any other result.
func TestAnOverrideThatSpoilsTheGraphIsSaid(t *testing.T) {
	r := asking(t, `{apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {components: [{name: Frontened, podTemplate: {spec: {containers: [{name: main}]}}}]}}`)
	if _, err := resultOf(map[string]string{render.ProfilingResult: recommended}, r, &r.Spec, config.Default()); err == nil {
		t.Error("a component without an image is taken")
	}
}

func asking(t *testing.T, override string) *v1alpha1.DynamoGraphDeploymentRequest {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(override))
	if err != nil {
		t.Fatal(err)
	}
	r := &v1alpha1.DynamoGraphDeploymentRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "r"}}
	r.Spec.DeploymentOverrides = &v1alpha1.DeploymentOverrides{DGD: &runtime.RawExtension{Raw: raw}}
	return r
}

func text(t *testing.T, value any) string {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

package crds

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// testRejected shows that mistakes are refused with the field's path and a sentence that helps. The
// server writes paths with [key] for rules in CEL, and with .key for the other validations.
func testRejected(t *testing.T, users client.Client) {
	for name, test := range map[string]struct {
		kind, spec string
		want       []string
	}{
		"unknown engine": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `backendFramework: tgi`,
			want: []string{"spec.backendFramework", `supported values: "sglang", "vllm", "trtllm"`},
		},
		"misspelt field": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {componentTyp: worker}}`,
			want: []string{`unknown field "spec.services.W.componentTyp"`},
		},
		"a service too many": {
			kind: v1alpha1.KindGraphDeployment,
			spec: "services: {" + strings.Join(numbered("s%d: {}", 26), ", ") + "}",
			want: []string{"spec.services", "must have at most 25 items"},
		},
		"claim to create without a size": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `pvcs: [{name: a, create: true, storageClass: s, volumeAccessMode: ReadWriteOnce}]`,
			want: []string{"spec.pvcs[0]", "needs size and volumeAccessMode"},
		},
		"same claim twice": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `pvcs: [{name: a}, {name: a}]`,
			want: []string{"spec.pvcs[1]", "Duplicate value"},
		},
		"restart without an id": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `restart: {id: ""}`,
			want: []string{"spec.restart.id"},
		},
		"restart id that moves the cursor": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `restart: {id: "a\u001b[2J"}`,
			want: []string{"spec.restart.id", "should match"},
		},
		"more variables than a process is started with": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `envs: [` + strings.TrimSuffix(strings.Repeat("{name: A}, ", 1001), ", ") + `]`,
			want: []string{"spec.envs", "must have at most 1000 items"},
		},
		"unknown restart strategy": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `restart: {id: a, strategy: {type: Random}}`,
			want: []string{"spec.restart.strategy.type", `"Sequential", "Parallel"`},
		},
		"order of a parallel restart": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `{services: {A: {}}, restart: {id: a, strategy: {type: Parallel, order: [A]}}}`,
			want: []string{"spec.restart.strategy", "order has a meaning only with type Sequential"},
		},
		"order with an unknown service": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `{services: {A: {}, B: {}}, restart: {id: a, strategy: {order: [A, C]}}}`,
			want: []string{"must name every service of spec.services exactly once"},
		},
		"order without all services": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `{services: {A: {}, B: {}}, restart: {id: a, strategy: {order: [A]}}}`,
			want: []string{"must name every service of spec.services exactly once"},
		},
		"order with a service twice": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `{services: {A: {}, B: {}}, restart: {id: a, strategy: {order: [A, A]}}}`,
			want: []string{"spec.restart.strategy.order[1]", "Duplicate value"},
		},
		"negative replicas": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {replicas: -1}}`,
			want: []string{"spec.services.W.replicas", "greater than or equal to 0"},
		},
		"one node is not multinode": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {multinode: {nodeCount: 1}}}`,
			want: []string{"spec.services.W.multinode.nodeCount", "greater than or equal to 2"},
		},
		"resource that is no quantity": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {resources: {limits: {gpu: two}}}}`,
			want: []string{"spec.services[W].resources.limits.gpu", "must be a quantity"},
		},
		"ingress without a host": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {F: {ingress: {enabled: true}}}`,
			want: []string{"spec.services[F].ingress", "host is required when ingress is enabled"},
		},
		"volume without a path": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {volumeMounts: [{name: a}]}}`,
			want: []string{"spec.services[W].volumeMounts[0]", "mountPoint is required"},
		},
		"shared memory without a size": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {sharedMemory: {}}}`,
			want: []string{"spec.services[W].sharedMemory", "size is required unless disabled"},
		},
		"endpoint picker without a configuration": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {E: {componentType: epp}}`,
			want: []string{"spec.services[E]", "needs eppConfig"},
		},
		"endpoint picker with two configurations": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {E: {componentType: epp, eppConfig: {configMapRef: {name: a, key: b}, config: {plugins: [], schedulingProfiles: []}}}}`,
			want: []string{"spec.services[E].eppConfig", "exactly one of config and configMapRef"},
		},
		"endpoint picker without plugins": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {E: {componentType: epp, eppConfig: {config: {schedulingProfiles: []}}}}`,
			want: []string{"spec.services.E.eppConfig.config.plugins", "Required value"},
		},
		"endpoint picker's plugin without a type": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {E: {componentType: epp, eppConfig: {config: {plugins: [{name: a}], schedulingProfiles: []}}}}`,
			want: []string{"spec.services.E.eppConfig.config.plugins[0].type", "Required value"},
		},
		"two endpoint pickers": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {E: {componentType: epp, replicas: 2, eppConfig: {configMapRef: {name: a, key: b}}}}`,
			want: []string{"spec.services[E]", "exactly 1 replica"},
		},
		"multinode endpoint picker": {
			kind: v1alpha1.KindComponentDeployment,
			spec: `{componentType: epp, multinode: {nodeCount: 2}, eppConfig: {configMapRef: {name: a, key: b}}}`,
			want: []string{"spec", "cannot be multinode"},
		},
		"checkpoint of nothing": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {checkpoint: {enabled: true}}}`,
			want: []string{"spec.services[W].checkpoint", "needs checkpointRef, or identity"},
		},
		"unknown checkpoint mode": {
			kind: v1alpha1.KindGraphDeployment,
			spec: `services: {W: {checkpoint: {mode: auto}}}`,
			want: []string{"spec.services.W.checkpoint.mode", `"Auto", "Manual"`},
		},
		"adapter without a source": {
			kind: v1alpha1.KindModel,
			spec: `{modelName: a, baseModelName: b, modelType: lora}`,
			want: []string{"spec", "needs source.uri"},
		},
		"adapter from the web": {
			kind: v1alpha1.KindModel,
			spec: `{modelName: a, baseModelName: b, modelType: lora, source: {uri: "https://example.com"}}`,
			want: []string{"spec", "starts with s3:// or hf://"},
		},
		"model without a name": {
			kind: v1alpha1.KindModel,
			spec: `{modelName: "", baseModelName: b}`,
			want: []string{"spec.modelName"},
		},
		"request without an image": {
			kind: v1alpha1.KindGraphDeploymentRequest,
			spec: `{model: m, backend: vllm, profilingConfig: {}}`,
			want: []string{"spec.profilingConfig.profilerImage", "Required value"},
		},
		"checkpoint of no worker": {
			kind: v1alpha1.KindCheckpoint,
			spec: `{identity: {model: m, backendFramework: vllm, tensorParallelSize: 0}, job: {podTemplateSpec: {spec: {containers: []}}}}`,
			want: []string{"spec.identity.tensorParallelSize", "greater than or equal to 1"},
		},
		"adapter of no graph": {
			kind: v1alpha1.KindScalingAdapter,
			spec: `{replicas: 1, dgdRef: {name: "", serviceName: W}}`,
			want: []string{"spec.dgdRef.name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := users.Create(t.Context(), object(t, test.kind, "rejected", test.spec), client.DryRunAll)
			checkRejected(t, err, test.want)
		})
	}
}

// testRejectedUpdates shows what cannot be changed after creation.
func testRejectedUpdates(t *testing.T, users client.Client) {
	for name, test := range map[string]struct {
		kind, before, after string
		want                []string
	}{
		"engine of a graph": {
			kind:   v1alpha1.KindGraphDeployment,
			before: `backendFramework: vllm`,
			after:  `backendFramework: sglang`,
			want:   []string{"spec.backendFramework", "immutable"},
		},
		"engine of a component": {
			kind:   v1alpha1.KindComponentDeployment,
			before: `backendFramework: vllm`,
			after:  `backendFramework: sglang`,
			want:   []string{"spec.backendFramework", "immutable"},
		},
		"base of a model": {
			kind:   v1alpha1.KindModel,
			before: `{modelName: a, baseModelName: b}`,
			after:  `{modelName: a, baseModelName: c}`,
			want:   []string{"spec.baseModelName", "immutable"},
		},
		"type of a model": {
			kind:   v1alpha1.KindModel,
			before: `{modelName: a, baseModelName: b}`,
			after:  `{modelName: a, baseModelName: b, modelType: adapter}`,
			want:   []string{"spec.modelType", "immutable"},
		},
		"identity of a checkpoint": {
			kind:   v1alpha1.KindCheckpoint,
			before: `{identity: {model: a, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: []}}}}`,
			after:  `{identity: {model: b, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: []}}}}`,
			want:   []string{"spec.identity", "spec.identity is immutable after creation"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(t.Context(), users, object(t, test.kind, "updated", test.before)); err != nil {
				t.Fatal(err)
			}
			_, err := apply(t.Context(), users, object(t, test.kind, "updated", test.after))
			checkRejected(t, err, test.want)
			if err := users.Delete(t.Context(), object(t, test.kind, "updated", test.before)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func checkRejected(t *testing.T, err error, want []string) {
	t.Helper()
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("got error %v, want a rejection", err)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the rejection does not say %q:\n%v", text, err)
		}
	}
}

func numbered(format string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf(format, i)
	}
	return texts
}

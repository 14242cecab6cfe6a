package conversion

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return object
}

// alphaService and betaOne wrap one component in a graph.
func alphaService(t *testing.T, text string) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	return decode[v1alpha1.DynamoGraphDeployment](t, "spec: {services: {W: "+text+"}}")
}

func betaOne(t *testing.T, text string) *v1beta1.DynamoGraphDeployment {
	t.Helper()
	return decode[v1beta1.DynamoGraphDeployment](t, "spec: {components: [{name: W, "+strings.TrimPrefix(text, "{")+"]}")
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Each is a service, what it is in v1beta1, an edit there, and the service that comes of it.
func TestServicesEditedInBeta(t *testing.T) {
	main := func(fields string) string {
		return `{podTemplate: {spec: {containers: [{name: main, ` + fields + `}]}}}`
	}
	for name, test := range map[string]struct{ alpha, beta, edited, want string }{
		"env and secret stay the service's own": {
			alpha:  `{envs: [{name: A, value: "1"}], envFromSecret: s, extraPodSpec: {mainContainer: {env: [{name: B, value: "2"}], envFrom: [{configMapRef: {name: c}}]}}}`,
			beta:   main(`env: [{name: B, value: "2"}, {name: A, value: "1"}], envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}]`),
			edited: main(`env: [{name: B, value: "2"}, {name: A, value: "3"}, {name: C, value: "4"}], envFrom: [{configMapRef: {name: c}}, {secretRef: {name: s}}]`),
			want:   `{envs: [{name: A, value: "3"}], envFromSecret: s, extraPodSpec: {mainContainer: {env: [{name: B, value: "2"}, {name: C, value: "4"}], envFrom: [{configMapRef: {name: c}}]}}}`,
		},
		"a deleted variable stays deleted": {
			alpha:  `{envs: [{name: A, value: "1"}, {name: B, value: "2"}]}`,
			beta:   main(`env: [{name: A, value: "1"}, {name: B, value: "2"}]`),
			edited: main(`env: [{name: B, value: "2"}]`),
			want:   `{envs: [{name: B, value: "2"}]}`,
		},
		"a variable of both counts as the service has it": {
			alpha:  `{envs: [{name: A, value: service}], extraPodSpec: {mainContainer: {env: [{name: A, value: main}]}}}`,
			beta:   main(`env: [{name: A, value: service}]`),
			edited: main(`env: [{name: A, value: new}]`),
			want:   `{envs: [{name: A, value: new}], extraPodSpec: {mainContainer: {env: [{name: A, value: main}]}}}`,
		},
		"optional set on the secret makes it the container's": {
			alpha:  `{envFromSecret: s}`,
			beta:   main(`envFrom: [{secretRef: {name: s}}]`),
			edited: main(`envFrom: [{secretRef: {name: s, optional: true}}]`),
			want:   `{extraPodSpec: {mainContainer: {envFrom: [{secretRef: {name: s, optional: true}}]}}}`,
		},
		"resources keep their place and their spelling": {
			alpha:  `{resources: {limits: {gpu: "1", gpuType: amd.com/gpu, memory: 1024Mi, custom: {rdma/ib: "2"}}}, extraPodSpec: {mainContainer: {resources: {limits: {cpu: "4"}}}}}`,
			beta:   main(`resources: {limits: {cpu: "4", amd.com/gpu: "1", memory: 1Gi, rdma/ib: "2"}}`),
			edited: main(`resources: {limits: {cpu: "4", amd.com/gpu: "8", memory: 1Gi}}`),
			want:   `{resources: {limits: {gpu: "8", gpuType: amd.com/gpu, memory: 1024Mi}}, extraPodSpec: {mainContainer: {resources: {limits: {cpu: "4"}}}}}`,
		},
		"probes": {
			alpha:  `{livenessProbe: {periodSeconds: 5}, extraPodSpec: {mainContainer: {livenessProbe: {periodSeconds: 7}, readinessProbe: {periodSeconds: 9}}}}`,
			beta:   main(`livenessProbe: {periodSeconds: 5}, readinessProbe: {periodSeconds: 9}`),
			edited: main(`livenessProbe: {periodSeconds: 6}`),
			want:   `{livenessProbe: {periodSeconds: 6}, extraPodSpec: {mainContainer: {livenessProbe: {periodSeconds: 7}}}}`,
		},
		"a mount is the service's again": {
			alpha:  `{volumeMounts: [{name: models, mountPoint: /models}]}`,
			beta:   `{podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: models, mountPath: /models}]}], volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]}}}`,
			edited: `{replicas: 2, podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: models, mountPath: /models}, {name: x, mountPath: /x, readOnly: true}]}], volumes: [{name: models, persistentVolumeClaim: {claimName: models}}, {name: x, emptyDir: {}}]}}}`,
			want:   `{replicas: 2, volumeMounts: [{name: models, mountPoint: /models}], extraPodSpec: {volumes: [{name: x, emptyDir: {}}], mainContainer: {volumeMounts: [{name: x, mountPath: /x, readOnly: true}]}}}`,
		},
		"of several caches the first counts, and can change": {
			alpha:  `{volumeMounts: [{name: a, mountPoint: /a, useAsCompilationCache: true}, {name: b, mountPoint: /b, useAsCompilationCache: true}]}`,
			beta:   `{compilationCache: {pvcName: a, mountPath: /a}, podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: b, mountPath: /b}]}], volumes: [{name: b, persistentVolumeClaim: {claimName: b}}]}}}`,
			edited: `{compilationCache: {pvcName: c, mountPath: /c}, podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: b, mountPath: /b}]}], volumes: [{name: b, persistentVolumeClaim: {claimName: b}}]}}}`,
			want:   `{volumeMounts: [{name: c, mountPoint: /c, useAsCompilationCache: true}, {name: b, mountPoint: /b, useAsCompilationCache: true}]}`,
		},
		"a deleted cache does not make another mount the cache": {
			alpha:  `{volumeMounts: [{name: a, mountPoint: /a, useAsCompilationCache: true}, {name: b, mountPoint: /b, useAsCompilationCache: true}]}`,
			beta:   `{compilationCache: {pvcName: a, mountPath: /a}, podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: b, mountPath: /b}]}], volumes: [{name: b, persistentVolumeClaim: {claimName: b}}]}}}`,
			edited: `{podTemplate: {spec: {containers: [{name: main, volumeMounts: [{name: b, mountPath: /b}]}], volumes: [{name: b, persistentVolumeClaim: {claimName: b}}]}}}`,
			want:   `{volumeMounts: [{name: b, mountPoint: /b}]}`,
		},
		"a disabled adapter is one that is not there": {
			alpha: `{scalingAdapter: {enabled: false}}`, beta: `{}`, edited: `{replicas: 3}`, want: `{replicas: 3, scalingAdapter: {enabled: false}}`,
		},
		"an adapter that is taken away": {
			alpha: `{scalingAdapter: {enabled: true}}`, beta: `{scalingAdapter: {}}`, edited: `{}`, want: `{}`,
		},
		"shared memory without": {alpha: `{}`, beta: `{}`, edited: `{sharedMemorySize: "0"}`, want: `{sharedMemory: {disabled: true}}`},
		"shared memory, disabled with a size": {
			alpha: `{sharedMemory: {disabled: true, size: 1Gi}}`, beta: `{sharedMemorySize: "0"}`, edited: `{sharedMemorySize: "0", replicas: 1}`,
			want: `{replicas: 1, sharedMemory: {disabled: true, size: 1Gi}}`,
		},
		"shared memory, taken away": {alpha: `{sharedMemory: {size: 1Gi}}`, beta: `{sharedMemorySize: 1Gi}`, edited: `{}`, want: `{}`},
		"workers of a kind are a type": {
			alpha: `{componentType: worker, subComponentType: decode}`, beta: `{type: decode}`, edited: `{type: prefill}`, want: `{componentType: worker, subComponentType: prefill}`,
		},
		"a type that only v1alpha1 has": {
			alpha: `{componentType: main, subComponentType: x}`, beta: `{}`, edited: `{replicas: 1}`, want: `{componentType: main, subComponentType: x, replicas: 1}`,
		},
		"decode as a type": {alpha: `{componentType: decode}`, beta: `{type: decode}`, edited: `{type: decode, replicas: 1}`, want: `{componentType: decode, replicas: 1}`},
		"what only v1alpha1 has stays": {
			alpha:  `{ingress: {enabled: true, host: h}, dynamoNamespace: n, annotations: {a: b}, labels: {c: d}, serviceName: other, autoscaling: {enabled: true}}`,
			beta:   `{}`,
			edited: `{replicas: 2, type: worker}`,
			want:   `{componentType: worker, replicas: 2, ingress: {enabled: true, host: h}, dynamoNamespace: n, annotations: {a: b}, labels: {c: d}, serviceName: other, autoscaling: {enabled: true}}`,
		},
		"the pod is taken away": {alpha: `{extraPodSpec: {mainContainer: {image: i}}}`, beta: main(`image: i`), edited: `{}`, want: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			alpha := alphaService(t, test.alpha)
			beta := GraphToBeta(alpha)
			expect(t, "v1beta1", beta.Spec, betaOne(t, test.beta).Spec)
			expect(t, "unchanged", GraphToAlpha(throughJSON(t, beta)).Spec, alpha.Spec)
			edited := betaOne(t, test.edited)
			edited.ObjectMeta = beta.ObjectMeta
			stored := GraphToAlpha(throughJSON(t, edited))
			expect(t, "stored", stored.Spec, alphaService(t, test.want).Spec)
			expect(t, "read again", GraphToBeta(throughJSON(t, stored)).Spec, edited.Spec)
		})
	}
}

// Each is a component, what is stored of it, an edit there, and the component that is read then.
func TestComponentsEditedInAlpha(t *testing.T) {
	for name, test := range map[string]struct{ beta, alpha, edited, want string }{
		"an empty template":        {`{podTemplate: {}}`, `{}`, `{replicas: 1}`, `{replicas: 1, podTemplate: {}}`},
		"a template with metadata": {`{podTemplate: {metadata: {name: x}}}`, `{}`, `{replicas: 1}`, `{replicas: 1, podTemplate: {metadata: {name: x}}}`},
		"labels of pods": {
			`{podTemplate: {metadata: {labels: {a: b}}}}`, `{extraPodMetadata: {labels: {a: b}}}`, `{extraPodMetadata: {labels: {a: c}}}`, `{podTemplate: {metadata: {labels: {a: c}}}}`,
		},
		"no container main": {
			`{podTemplate: {spec: {nodeName: x}}}`, `{extraPodSpec: {nodeName: x}}`, `{extraPodSpec: {nodeName: other}}`, `{podTemplate: {spec: {nodeName: other}}}`,
		},
		"only a sidecar": {
			`{podTemplate: {spec: {containers: [{name: s}]}}}`, `{extraPodSpec: {containers: [{name: s}]}}`, `{extraPodSpec: {containers: [{name: s, image: i}]}}`,
			`{podTemplate: {spec: {containers: [{name: s, image: i}]}}}`,
		},
		"a main container with nothing but its name": {
			`{podTemplate: {spec: {containers: [{name: main}]}}}`, `{extraPodSpec: {mainContainer: {}}}`, `{}`, `{}`,
		},
		"the order of containers": {
			`{podTemplate: {spec: {containers: [{name: a}, {name: main}, {name: b}]}}}`, `{extraPodSpec: {containers: [{name: a}, {name: b}], mainContainer: {}}}`,
			`{extraPodSpec: {containers: [{name: a}, {name: b}, {name: c}], mainContainer: {image: i}}}`,
			`{podTemplate: {spec: {containers: [{name: a}, {name: main, image: i}, {name: b}, {name: c}]}}}`,
		},
		"a frontend sidecar, edited": {
			`{frontendSidecar: f, podTemplate: {spec: {containers: [{name: main}, {name: f}]}}}`,
			`{annotations: {nvidia.com/frontend-sidecar: f}, extraPodSpec: {containers: [{name: f}], mainContainer: {}}}`,
			`{annotations: {nvidia.com/frontend-sidecar: f}, extraPodSpec: {containers: [{name: f, image: i}], mainContainer: {}}}`,
			`{frontendSidecar: f, podTemplate: {spec: {containers: [{name: main}, {name: f, image: i}]}}}`,
		},
		"a frontend sidecar, deleted": {
			`{frontendSidecar: f, podTemplate: {spec: {containers: [{name: main}, {name: f}]}}}`,
			`{annotations: {nvidia.com/frontend-sidecar: f}, extraPodSpec: {containers: [{name: f}], mainContainer: {}}}`,
			`{extraPodSpec: {mainContainer: {}}}`, `{podTemplate: {spec: {containers: [{name: main}]}}}`,
		},
		"what only v1beta1 has stays": {
			`{minAvailable: 2, runtimeVersionOverride: 1.2.3, topologyConstraint: {packDomain: rack}, experimental: {failover: {mode: IntraPod}}, multinode: {nodeCount: 2, leader: {providerOverride: {apiVersion: v, value: {a: 1}}}}}`,
			`{annotations: {nvidia.com/min-available: "2"}, multinode: {nodeCount: 2}}`,
			`{annotations: {nvidia.com/min-available: "3"}, multinode: {nodeCount: 4}}`,
			`{minAvailable: 3, runtimeVersionOverride: 1.2.3, topologyConstraint: {packDomain: rack}, experimental: {failover: {mode: IntraPod}}, multinode: {nodeCount: 4, leader: {providerOverride: {apiVersion: v, value: {a: 1}}}}}`,
		},
		"multinode is taken away": {
			`{multinode: {nodeCount: 2, worker: {providerOverride: {apiVersion: v, value: {a: 1}}}}}`, `{multinode: {nodeCount: 2}}`, `{}`, `{}`,
		},
		"a checkpoint is taken away, and its policy with it": {
			`{experimental: {checkpoint: {enabled: true, checkpointRef: c, startupPolicy: Immediate}}}`, `{checkpoint: {enabled: true, checkpointRef: c}}`, `{}`, `{experimental: {}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			beta := betaOne(t, test.beta)
			stored := GraphToAlpha(beta)
			expect(t, "v1alpha1", stored.Spec, alphaService(t, test.alpha).Spec)
			expect(t, "unchanged", GraphToBeta(throughJSON(t, stored)).Spec, beta.Spec)
			edited := alphaService(t, test.edited)
			edited.ObjectMeta = stored.ObjectMeta
			read := GraphToBeta(throughJSON(t, edited))
			expect(t, "read", read.Spec, betaOne(t, test.want).Spec)
			expect(t, "stored again", GraphToAlpha(throughJSON(t, read)).Spec, edited.Spec)
		})
	}
}

func TestTheOrderOfComponentsSurvives(t *testing.T) {
	beta := decode[v1beta1.DynamoGraphDeployment](t, `{spec: {components: [{name: Z}, {name: A}, {name: M}]}}`)
	stored := GraphToAlpha(beta)
	stored.Spec.Services["B"] = &alphaSpec{}
	delete(stored.Spec.Services, "A")
	var names []string
	for _, c := range GraphToBeta(throughJSON(t, stored)).Spec.Components {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"Z", "M", "B"}, names); diff != "" {
		t.Error(diff)
	}
}

// What a graph says once is written into each service, and is the graph's again while all have it.
func TestWhatComponentsInherit(t *testing.T) {
	beta := decode[v1beta1.DynamoGraphDeployment](t, `{spec: {priorityClassName: high, labels: {team: a}, annotations: {x: "y"}, components: [
		{name: A}, {name: B, podTemplate: {spec: {priorityClassName: low}}}, {name: C, podTemplate: {spec: {priorityClassName: high}}}]}}`)
	stored := GraphToAlpha(beta)
	expect(t, "stored", stored.Spec, decode[v1alpha1.DynamoGraphDeployment](t, `{spec: {services: {
		A: {labels: {team: a}, annotations: {x: "y"}, extraPodSpec: {priorityClassName: high}},
		B: {labels: {team: a}, annotations: {x: "y"}, extraPodSpec: {priorityClassName: low}},
		C: {labels: {team: a}, annotations: {x: "y"}, extraPodSpec: {priorityClassName: high}}}}}`).Spec)
	expect(t, "read", GraphToBeta(throughJSON(t, stored)), beta)

	stored.Spec.Services["A"].ExtraPodSpec = nil
	delete(stored.Spec.Services["B"].Labels, "team")
	read := GraphToBeta(throughJSON(t, stored))
	expect(t, "after an edit in v1alpha1", read.Spec, decode[v1beta1.DynamoGraphDeployment](t, `{spec: {annotations: {x: "y"}, components: [
		{name: A}, {name: B, podTemplate: {spec: {priorityClassName: low}}}, {name: C, podTemplate: {spec: {priorityClassName: high}}}]}}`).Spec)
	expect(t, "stored again", GraphToAlpha(throughJSON(t, read)).Spec, stored.Spec)
}

func TestRequests(t *testing.T) {
	alpha := decode[v1alpha1.DynamoGraphDeploymentRequest](t, `
spec:
  model: m
  backend: vllm
  profilingConfig:
    profilerImage: p
    outputPVC: out
    tolerations: [{key: gpu}]
    resources: {limits: {cpu: "1"}}
    config: {sla: {ttft: 200, itl: fast, isl: 3000}, sweep: {x: 1}, planner: {a: 1}}
  deploymentOverrides: {namespace: other}
`)
	beta := RequestToBeta(alpha)
	expect(t, "v1beta1", beta.Spec, decode[v1beta1.DynamoGraphDeploymentRequest](t, `
spec:
  model: m
  backend: vllm
  image: p
  autoApply: false
  searchStrategy: rapid
  sla: {ttft: 200}
  workload: {isl: 3000}
  features: {planner: {a: 1}}
  overrides: {profilingJob: {template: {spec: {tolerations: [{key: gpu}], containers: [{name: profiler, resources: {limits: {cpu: "1"}}}]}}}}
`).Spec)
	beta.Spec.SLA.TTFT = new(300.0)
	beta.Spec.Workload = nil
	stored := RequestToAlpha(throughJSON(t, beta))
	expect(t, "stored", stored.Spec, decode[v1alpha1.DynamoGraphDeploymentRequest](t, `
spec:
  model: m
  backend: vllm
  profilingConfig:
    profilerImage: p
    outputPVC: out
    tolerations: [{key: gpu}]
    resources: {limits: {cpu: "1"}}
    config: {sla: {ttft: 300, itl: fast}, sweep: {x: 1}, planner: {a: 1}}
  deploymentOverrides: {namespace: other}
`).Spec)
}

// The container of the profiler may be the second, without a name in sight, or a bare name.
func TestProfilerContainers(t *testing.T) {
	for name, containers := range map[string]string{
		"second":    `[{name: side, image: i}, {name: profiler, image: j, resources: {limits: {cpu: "1"}}}]`,
		"unnamed":   `[{name: "", image: i}]`,
		"name only": `[{name: profiler}]`,
		"none":      `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			beta := decode[v1beta1.DynamoGraphDeploymentRequest](t, `{spec: {model: m, backend: auto, searchStrategy: rapid, autoApply: true,
				overrides: {profilingJob: {backoffLimit: 1, template: {spec: {nodeSelector: {a: b}, containers: `+containers+`}}}}}}`)
			stored := RequestToAlpha(beta)
			expect(t, "read", throughJSON(t, RequestToBeta(throughJSON(t, stored))), throughJSON(t, beta))
			stored.Spec.ProfilingConfig.Resources = nil
			stored.Spec.ProfilingConfig.OutputPVC = "out"
			read := RequestToBeta(throughJSON(t, stored))
			if read.Spec.Overrides == nil || read.Spec.Overrides.ProfilingJob.BackoffLimit == nil {
				t.Errorf("an edit in v1alpha1 lost the rest of the Job: %s", asJSON(t, read.Spec))
			}
			expect(t, "stored again", RequestToAlpha(throughJSON(t, read)).Spec, stored.Spec)
		})
	}
}

// What a status says of another phase or graph is not said of this one.
func TestStaleStatus(t *testing.T) {
	beta := decode[v1beta1.DynamoGraphDeploymentRequest](t, `{spec: {model: m}, status: {phase: Profiling, profilingPhase: SweepingDecode, profilingJobName: j}}`)
	stored := RequestToAlpha(beta)
	stored.Status.State = v1alpha1.RequestStateReady
	expect(t, "phase", RequestToBeta(stored).Status, decode[v1beta1.DynamoGraphDeploymentRequest](t, `{status: {phase: Ready, profilingJobName: j}}`).Status)

	beta = decode[v1beta1.DynamoGraphDeploymentRequest](t, `{spec: {model: m}, status: {phase: Deployed, dgdName: g, deploymentInfo: {replicas: 2}}}`)
	stored = RequestToAlpha(beta)
	stored.Status.Deployment.Name = "h"
	expect(t, "graph", RequestToBeta(stored).Status, decode[v1beta1.DynamoGraphDeploymentRequest](t, `{status: {phase: Deployed, dgdName: h}}`).Status)
}

// An annotation of ours is anybody's to write: whatever it holds, the object says what it says.
func TestHostileAnnotations(t *testing.T) {
	plain := betaOne(t, `{replicas: 1, podTemplate: {spec: {containers: [{name: main, env: [{name: A, value: "1"}]}]}}}`)
	for _, text := range []string{
		"", "{", "null", "[]", `"x"`, `{"unknown":1}`, strings.Repeat("[", 20000), `{"services":{"W":null}}`, `{"services":{"W":{}}}`,
		`{"services":{"W":{"rest":{"replicas":9,"envs":[{"name":"A","value":"evil"}],"extraPodSpec":{"nodeName":"n","mainContainer":{"image":"evil","env":[{"name":"B"}]}}}}}}`,
		`{"services":{"W":{"exact":{"replicas":9}}}}`, `{"services":{"W":{"exact":{"replicas":1,"envs":[{"name":"A","value":"2"}]}}}}`,
		`{"pvcs":[{"name":"` + strings.Repeat("x", mostKept) + `"}]}`,
	} {
		hostile := plain.DeepCopy()
		hostile.Annotations = map[string]string{specAnnotation: text, statusAnnotation: text}
		stored := GraphToAlpha(hostile)
		expect(t, "v1beta1 with "+text[:min(len(text), 60)], GraphToBeta(throughJSON(t, stored)).Spec, plain.Spec)

		alpha := GraphToAlpha(plain)
		want := asJSON(t, alpha.Spec)
		alpha.Annotations = hostile.Annotations
		if got := asJSON(t, GraphToAlpha(throughJSON(t, GraphToBeta(alpha))).Spec); got != want {
			t.Errorf("v1alpha1 with %s: -want +got:\n%s", text[:min(len(text), 60)], cmp.Diff(want, got))
		}
	}
}

// What does not fit into an annotation is not lost: the object can be read in the other version, and
// is not written in it.
func TestMoreThanFitsIsNotLost(t *testing.T) {
	long := strings.Repeat("x", mostKept)
	alpha := `{"apiVersion":"nvidia.com/v1alpha1","kind":"DynamoGraphDeployment","metadata":{"name":"g","namespace":"n"},"spec":{"pvcs":[{"name":"` + long + `","create":true}]}}`
	beta, err := Object([]byte(alpha), "nvidia.com/v1beta1")
	if err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	if _, err := Object(beta, "nvidia.com/v1alpha1"); err == nil || !strings.Contains(err.Error(), "DynamoGraphDeployment n/g says more than 128 KiB that nvidia.com/v1beta1 has no words for") {
		t.Errorf("written back: %v", err)
	}
	// A kept override is what v1alpha1 has no words for.
	only := `{"apiVersion":"nvidia.com/v1beta1","kind":"DynamoGraphDeployment","metadata":{"name":"g","namespace":"n"},"spec":{"providerOverride":{"apiVersion":"a/v1","value":{"a":"` + long + `"}}}}`
	if _, err := Object([]byte(only), "nvidia.com/v1alpha1"); err == nil || !strings.Contains(err.Error(), "make it smaller") {
		t.Errorf("stored: %v", err)
	}
}

func TestReview(t *testing.T) {
	review := func(desired, objects string) *apiextensionsv1.ConversionResponse {
		body := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","desiredAPIVersion":"` + desired + `","objects":[` + objects + `]}}`
		answer, err := Review([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		var got apiextensionsv1.ConversionReview
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if got.Response == nil || got.Response.UID != "u" || got.Request != nil || got.Kind != "ConversionReview" {
			t.Fatalf("not an answer: %s", answer)
		}
		return got.Response
	}
	object := `{"apiVersion":"nvidia.com/v1beta1","kind":"DynamoGraphDeployment","metadata":{"name":"g","namespace":"n"},"spec":{"components":[{"name":"W","type":"worker"}]}}`
	got := review("nvidia.com/v1alpha1", object+","+object)
	if got.Result.Status != "Success" || len(got.ConvertedObjects) != 2 {
		t.Fatalf("got %+v", got)
	}
	want := `{"kind":"DynamoGraphDeployment","apiVersion":"nvidia.com/v1alpha1","metadata":{"name":"g","namespace":"n"},"spec":{"services":{"W":{"componentType":"worker"}}},"status":{}}`
	expect(t, "converted", json.RawMessage(got.ConvertedObjects[1].Raw), json.RawMessage(want))

	for wants, objects := range map[string]string{
		"convert object 2 of 2": object + `,{"apiVersion":"nvidia.com/v1beta1","kind":"Unknown","metadata":{"name":"g","namespace":"n"}}`,
		"Unknown n/g":           `{"apiVersion":"nvidia.com/v1beta1","kind":"Unknown","metadata":{"name":"g","namespace":"n"}}`,
		"components":            `{"apiVersion":"nvidia.com/v1beta1","kind":"DynamoGraphDeployment","metadata":{"name":"g"},"spec":{"components":7}}`,
	} {
		if got := review("nvidia.com/v1alpha1", objects); got.Result.Status != "Failure" || !strings.Contains(got.Result.Message, wants) || len(got.ConvertedObjects) > 0 {
			t.Errorf("want a failure with %q, got %+v", wants, got)
		}
	}
	for _, body := range []string{"", "{}", `{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview"}`} {
		if _, err := Review([]byte(body)); err == nil {
			t.Errorf("%q is no review, and has no answer", body)
		}
	}
}

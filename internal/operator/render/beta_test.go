package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

// The same graph in both versions becomes the same objects, with generations of workers and through
// Grove: neither version's way to say it is seen in them.
func TestTwinsRenderTheSame(t *testing.T) {
	alpha := parseGraph(t, []byte(`
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: twin, namespace: team-a}
spec:
  envs: [{name: LOG, value: info}]
  services:
    Frontend:
      componentType: frontend
      envFromSecret: token
      extraPodSpec: {mainContainer: {image: "r:1"}}
    decode:
      componentType: worker
      subComponentType: decode
      replicas: 2
      envs: [{name: A, value: "1"}]
      envFromSecret: token
      resources: {limits: {gpu: "1", memory: 1024Mi}, requests: {cpu: "2"}}
      sharedMemory: {size: 16Gi}
      volumeMounts: [{name: models, mountPoint: /models}, {name: kernels, mountPoint: /kernels, useAsCompilationCache: true}]
      readinessProbe: {periodSeconds: 3}
      extraPodMetadata: {labels: {team: a}}
      extraPodSpec:
        nodeSelector: {gpu: h200}
        mainContainer: {image: "r:1", command: [python3, -m, dynamo.vllm], args: [--model, m]}
    prefill:
      componentType: worker
      subComponentType: prefill
      multinode: {nodeCount: 2}
      resources: {limits: {gpu: "8", gpuType: amd.com/gpu}}
      extraPodSpec:
        mainContainer: {image: "r:1", command: [python3, -m, dynamo.vllm], args: [--model, m, --tensor-parallel-size, "16"]}
`))
	beta := &v1beta1.DynamoGraphDeployment{}
	if err := yaml.UnmarshalStrict([]byte(`
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: twin, namespace: team-a}
spec:
  env: [{name: LOG, value: info}]
  components:
  - name: prefill
    type: prefill
    multinode: {nodeCount: 2}
    podTemplate:
      spec:
        containers:
        - {name: main, image: "r:1", command: [python3, -m, dynamo.vllm], args: [--model, m, --tensor-parallel-size, "16"], resources: {limits: {amd.com/gpu: "8"}}}
  - name: decode
    type: decode
    replicas: 2
    sharedMemorySize: 16Gi
    compilationCache: {pvcName: kernels, mountPath: /kernels}
    podTemplate:
      metadata: {labels: {team: a}}
      spec:
        nodeSelector: {gpu: h200}
        containers:
        - name: main
          image: r:1
          command: [python3, -m, dynamo.vllm]
          args: [--model, m]
          env: [{name: A, value: "1"}]
          envFrom: [{secretRef: {name: token}}]
          resources: {limits: {nvidia.com/gpu: "1", memory: 1Gi}, requests: {cpu: "2"}}
          readinessProbe: {periodSeconds: 3}
          volumeMounts: [{name: models, mountPath: /models}]
        volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
  - name: Frontend
    type: frontend
    podTemplate: {spec: {containers: [{name: main, image: "r:1", envFrom: [{secretRef: {name: token}}]}]}}
`), beta); err != nil {
		t.Fatal(err)
	}
	converted := conversion.GraphToAlpha(beta)
	if diff := cmp.Diff(string(renderDocuments(t, alpha, Current)), string(renderDocuments(t, converted, Current))); diff != "" {
		t.Errorf("-v1alpha1 +v1beta1:\n%s", diff)
	}
	if diff := cmp.Diff(string(renderForGrove(t, alpha)), string(renderForGrove(t, converted))); diff != "" {
		t.Errorf("through Grove -v1alpha1 +v1beta1:\n%s", diff)
	}
	if WorkerHash(alpha, Current) == "" {
		t.Error("the twins have no generations, whose names would show a difference")
	}
}

// A frontend beside a worker gets what a frontend gets, and the worker nothing of it.
func TestFrontendSidecar(t *testing.T) {
	dgd := parseGraph(t, []byte(`
metadata: {name: g, namespace: team-a}
spec:
  services:
    decode:
      componentType: worker
      subComponentType: decode
      annotations: {nvidia.com/frontend-sidecar: front}
      extraPodSpec:
        containers: [{name: front, image: "r:1", args: [-m, dynamo.frontend, --router-mode, direct]}]
        mainContainer: {image: "r:1", args: [python3 -m dynamo.vllm]}
`))
	component := Components(dgd, testConfig(), Current)[0]
	objects, err := Component(owned(dgd, component), testConfig())
	if err != nil {
		t.Fatal(err)
	}
	front := objects.pods().Spec.Containers[0]
	if diff := cmp.Diff([]string{"python3"}, front.Command); diff != "" {
		t.Errorf("command -want +got:\n%s", diff)
	}
	env := map[string]string{}
	for _, v := range front.Env {
		env[v.Name] = v.Value
	}
	if env["DYN_COMPONENT"] != "frontend" || env["DYN_HTTP_PORT"] != "8000" || env["DYN_NAMESPACE"] != "team-a-g" || env["DYN_SYSTEM_PORT"] != "" {
		t.Errorf("environment: %v", env)
	}
	if front.ReadinessProbe == nil || len(front.Ports) != 1 || len(front.VolumeMounts) != 0 {
		t.Errorf("probe, port or mounts: %+v", front)
	}
	if main := mainContainer(objects.pods().Spec); len(main.Ports) != 1 || main.Ports[0].ContainerPort != 9090 {
		t.Errorf("the worker has ports %v", main.Ports)
	}
}

func TestMinAvailableIsTheGang(t *testing.T) {
	dgd := parseGraph(t, []byte(`
metadata: {name: g, namespace: team-a}
spec:
  services:
    W: {componentType: worker, replicas: 4, annotations: {nvidia.com/min-available: "3"}, extraPodSpec: {mainContainer: {image: "r:1"}}}
`))
	objects, err := Grove(dgd, testConfig(), Capabilities{Grove: true}, nil, Current)
	if err != nil {
		t.Fatal(err)
	}
	if got := objects.Set.Spec.Template.Cliques[0].Spec.MinAvailable; got != 3 {
		t.Errorf("got %d pods that make the gang, want 3", got)
	}
}

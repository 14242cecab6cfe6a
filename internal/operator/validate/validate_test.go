package validate

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// ownFrontend is a worker with a frontend beside it, which says more.
func ownFrontend(says string) string {
	return "{componentType: worker, annotations: {nvidia.com/frontend-sidecar: front}, extraPodSpec: {mainContainer: {image: x}, containers: [{name: front, " + says + "image: x}]}}"
}

const aPicker = "{componentType: epp, eppConfig: {configMapRef: {name: a, key: b}}}"

func graphFrom(t *testing.T, text string) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	dgd.Name, dgd.Namespace = "chat", "team-a"
	if err := yaml.UnmarshalStrict([]byte(text), dgd); err != nil {
		t.Fatal(err)
	}
	for _, service := range dgd.Spec.Services {
		giveImage(service)
	}
	return dgd
}

// giveImage saves every example from naming one.
func giveImage(s *v1alpha1.DynamoComponentDeploymentSharedSpec) {
	if s == nil || s.DynamoNamespace == "no image" {
		return
	}
	if s.ExtraPodSpec == nil {
		s.ExtraPodSpec = &v1alpha1.ExtraPodSpec{}
	}
	if s.ExtraPodSpec.MainContainer == nil {
		s.ExtraPodSpec.MainContainer = &corev1.Container{}
	}
	s.ExtraPodSpec.MainContainer.Image = "registry.example.com/runtime:1"
}

func TestGraph(t *testing.T) {
	service := func(spec string) string { return "spec: {services: {S: {" + spec + "}}}" }
	for name, tc := range map[string]struct{ graph, want string }{
		"the least":               {service(""), ""},
		"null service":            {"spec: {services: {S: null}}", "spec.services[S]: Required value"},
		"no services":             {"spec: {}", "spec.services: Required value: a graph has at least one service"},
		"origin version":          {"metadata: {name: chat, annotations: {nvidia.com/dynamo-operator-origin-version: v1}}\n" + service(""), "metadata.annotations[nvidia.com/dynamo-operator-origin-version]"},
		"discovery backend":       {"metadata: {name: chat, annotations: {nvidia.com/dynamo-discovery-backend: foo}}\n" + service(""), `Unsupported value: "foo": supported values: "kubernetes", "etcd"`},
		"claim without size":      {"spec: {pvcs: [{name: c, create: true, storageClass: s, volumeAccessMode: ReadWriteOnce}], services: {S: {}}}", "spec.pvcs[0].size: Required value"},
		"claim, default class":    {"spec: {pvcs: [{name: c, create: true, size: 1Gi, volumeAccessMode: ReadWriteOnce}], services: {S: {}}}", ""},
		"claim twice":             {"spec: {pvcs: [{name: c}, {name: c}], services: {S: {}}}", "spec.pvcs[1].name: Duplicate value"},
		"claim without name":      {"spec: {pvcs: [{name: ''}], services: {S: {}}}", "spec.pvcs[0].name: Required value"},
		"restart without id":      {"spec: {restart: {id: ''}, services: {S: {}}}", "spec.restart.id: Required value"},
		"parallel order":          {"spec: {restart: {id: a, strategy: {type: Parallel, order: [S]}}, services: {S: {}}}", "spec.restart.strategy.order: Forbidden"},
		"order: unknown":          {"spec: {restart: {id: a, strategy: {order: [S, T]}}, services: {S: {}}}", `spec.restart.strategy.order[1]: Invalid value: "T"`},
		"order: incomplete":       {"spec: {restart: {id: a, strategy: {order: [S]}}, services: {S: {}, T: {}}}", "and lacks T"},
		"names by case":           {"spec: {services: {decode: {}, Decode: {}}}", "both would be named chat-decode"},
		"letters":                 {"spec: {services: {'a!': {}}}", "spec.services[a!]: Invalid value"},
		"underscore":              {"spec: {services: {de_code: {}}}", "spec.services[de_code]: Invalid value"},
		"name too long":           {"spec: {services: {" + strings.Repeat("s", 60) + ": {}}}", "2 characters too long, 63 are allowed"},
		"dot in the graph's name": {"metadata: {name: a.b}\n" + service(""), "its objects would be named a.b-s"},
		"label too long":          {"metadata: {name: " + strings.Repeat("g", 57) + ", namespace: team-a}\n" + service(""), "metadata.name: Invalid value"},
		"negative replicas":       {service("replicas: -1"), "spec.services[S].replicas: Invalid value: -1"},
		"ingress without host":    {service("ingress: {enabled: true}"), "spec.services[S].ingress.host: Required value"},
		"two of one host":         {"spec: {services: {A: {ingress: {enabled: true, host: h}}, B: {ingress: {enabled: true, host: h}}}}", "spec.services[B].ingress.host: Invalid value: \"h\": service A has this host already"},
		"mount without point":     {service("volumeMounts: [{name: c}]"), "spec.services[S].volumeMounts[0].mountPoint: Required value"},
		"cache of an unknown":     {service("componentType: worker, volumeMounts: [{name: c, useAsCompilationCache: true}]"), "only vLLM has a known place"},
		"shared memory":           {service("sharedMemory: {disabled: false}"), "spec.services[S].sharedMemory.size: Required value"},
		"no shared memory":        {service("sharedMemory: {disabled: true}"), ""},
		"component type":          {service(`componentType: "a b"`), "spec.services[S].componentType: Invalid value"},
		"quantity":                {service(`resources: {limits: {gpu: two}}`), `resources.limits.gpu: "two" is not a quantity`},
		"request over limit":      {service(`resources: {limits: {cpu: "1"}, requests: {cpu: "2"}}`), "more cpu than the limit of 1"},
		"strategy":                {service("annotations: {nvidia.com/deployment-strategy: Fast}"), `Unsupported value: "Fast"`},
		"max surge":               {service("annotations: {nvidia.com/deployment-rolling-update-max-surge: half}"), "must be a number of pods or a percentage"},
		"a group":                 {service(`componentType: worker, multinode: {nodeCount: 2}, resources: {limits: {gpu: "1"}}, extraPodSpec: {mainContainer: {args: ["python3 -m dynamo.vllm -tp 2"]}}`), ""},
		"a group, unknown sizes":  {service(`componentType: worker, multinode: {nodeCount: 2}, resources: {limits: {gpu: "1"}}, extraPodSpec: {mainContainer: {args: ["python3 -m dynamo.vllm -tp $TP"]}}`), "spec.services[S].extraPodSpec.mainContainer.command: Invalid value: vllm over 2 nodes: --tensor-parallel-size is $TP"},
		"a group's name":          {"spec: {services: {" + strings.Repeat("s", 44) + ": {multinode: {nodeCount: 2}}}}", "1 characters too long, 48 are allowed over several nodes"},
		"a group's neighbour":     {"spec: {services: {S: {multinode: {nodeCount: 2}}, s-1: {}}}", "spec.services[s-1]: Invalid value: \"s-1\": its Service would have the name of the group 1 of service S"},
		"main twice":              {service("extraPodSpec: {containers: [{name: main}]}"), "spec.services[S].extraPodSpec.containers[0].name"},
		"no image":                {service("dynamoNamespace: no image"), "spec.services[S].extraPodSpec.mainContainer.image: Required value"},
		"two engines":             {service("componentType: worker, extraPodSpec: {mainContainer: {command: [sh, -c, python -m dynamo.vllm; python -m dynamo.sglang]}}"), "spec.services[S].extraPodSpec.mainContainer.command"},
		"type, letters swapped":   {service("componentType: wroker"), `spec.services[S].componentType: Invalid value: "wroker": did you mean worker?`},
		"type, capital":           {service("componentType: Frontend"), "did you mean frontend?"},
		"type of a sample":        {service("componentType: main"), ""},
		"type of one's own":       {service("componentType: gateway"), ""},
		"half a GPU":              {service(`resources: {limits: {gpu: "0.5"}}`), "spec.services[S].resources.limits: Invalid value"},
		"half a core":             {service(`resources: {limits: {cpu: "0.5"}}`), ""},
		"neither more nor less":   {service(`annotations: {nvidia.com/deployment-rolling-update-max-surge: "0", nvidia.com/deployment-rolling-update-max-unavailable: "0%"}`), "nothing can be replaced"},
		"surge none":              {service(`annotations: {nvidia.com/deployment-rolling-update-max-surge: "0"}`), ""},
		"ends for good":           {service("extraPodSpec: {restartPolicy: Never}"), "spec.services[S].extraPodSpec.restartPolicy: Unsupported value"},
		"probe, timing alone":     {service("componentType: worker, extraPodSpec: {mainContainer: {startupProbe: {initialDelaySeconds: 180}}}"), ""},
		"probe, nothing to ask":   {service("extraPodSpec: {mainContainer: {startupProbe: {initialDelaySeconds: 180}}}"), "spec.services[S].extraPodSpec.mainContainer.startupProbe: Required value"},
		"probe, sidecar's":        {service("componentType: worker, extraPodSpec: {containers: [{name: a, livenessProbe: {periodSeconds: 1}}]}"), "spec.services[S].extraPodSpec.containers[0].livenessProbe: Required value"},
		"probe, two handlers":     {service("componentType: worker, livenessProbe: {exec: {command: [a]}, httpGet: {port: 1}}"), "spec.services[S].livenessProbe: Forbidden: a probe asks one thing, and this one has exec and httpGet"},
		"probe, known port":       {service("componentType: worker, readinessProbe: {httpGet: {port: system}}"), ""},
		"probe, unknown port":     {service("componentType: worker, readinessProbe: {httpGet: {port: sistem}}"), `spec.services[S].readinessProbe.httpGet.port: Unsupported value: "sistem": supported values: "system"`},
		"two ports of a name":     {service("extraPodSpec: {mainContainer: {ports: [{name: a, containerPort: 1}, {name: a, containerPort: 2}]}}"), "spec.services[S].extraPodSpec.mainContainer.ports[1].name: Duplicate value"},
		"port by its variable":    {service(`componentType: worker, envs: [{name: DYN_SYSTEM_PORT, value: "8081"}]`), ""},
		"port, contradiction":     {service(`componentType: worker, envs: [{name: DYN_SYSTEM_PORT, value: "8081"}], extraPodSpec: {mainContainer: {ports: [{name: system, containerPort: 9}]}}`), "port system is 9, but DYN_SYSTEM_PORT makes the server listen on 8081"},
		"port, unknowable":        {service("componentType: worker, envs: [{name: DYN_SYSTEM_PORT, valueFrom: {configMapKeyRef: {name: a, key: b}}}]"), "the value of DYN_SYSTEM_PORT is not known before the pod runs"},
		"port of the graph":       {"spec: {envs: [{name: DYN_HTTP_PORT, value: many}], services: {S: {componentType: frontend}}}", `DYN_HTTP_PORT is "many", which is no port`},
		"picker, no config":       {service("componentType: epp"), "spec.services[S].eppConfig: Required value"},
		"picker, two configs":     {service("componentType: epp, eppConfig: {config: {plugins: [], schedulingProfiles: []}, configMapRef: {name: a, key: b}}"), "exactly one of config and configMapRef"},
		"picker, several":         {service("componentType: epp, replicas: 2, eppConfig: {configMapRef: {name: a, key: b}}"), "exactly 1 replica"},
		"picker, no map":          {service("componentType: epp, eppConfig: {configMapRef: {key: b}}"), "eppConfig.configMapRef.name: Required value"},
		"picker, no key":          {service("componentType: epp, eppConfig: {configMapRef: {name: a}}"), "eppConfig.configMapRef.key: Required value"},
		"picker":                  {service("componentType: epp, eppConfig: {config: {plugins: [{type: a, parameters: {b: {c: 1}}}], schedulingProfiles: [{name: d, plugins: [{pluginRef: a, weight: 0.5}]}]}}"), ""},
		"picker, other file":      {service("componentType: epp, eppConfig: {config: {kind: Pod, plugins: [], schedulingProfiles: []}}"), `spec.services[S].eppConfig.config.kind: Unsupported value: "Pod"`},
		"picker, plug-in unknown": {service("componentType: epp, eppConfig: {config: {plugins: [{type: a, name: b}], schedulingProfiles: [{name: d, plugins: [{pluginRef: a}]}]}}"), `spec.services[S].eppConfig.config.schedulingProfiles[0].plugins[0].pluginRef: Invalid value: "a": is none of the plugins, which are b`},
		"picker, plug-in twice":   {service("componentType: epp, eppConfig: {config: {plugins: [{type: a}, {type: b, name: a}], schedulingProfiles: []}}"), `spec.services[S].eppConfig.config.plugins[1].name: Duplicate value: "a"`},
		"picker, profile twice":   {service("componentType: epp, eppConfig: {config: {plugins: [], schedulingProfiles: [{name: d, plugins: []}, {name: d, plugins: []}]}}"), `spec.services[S].eppConfig.config.schedulingProfiles[1].name: Duplicate value: "d"`},
		"picker, list for text":   {service("componentType: epp, eppConfig: {config: {plugins: [{type: [a]}], schedulingProfiles: []}}"), "spec.services[S].eppConfig.config: Invalid value"},
		"two pickers":             {"spec: {services: {A: " + aPicker + ", B: " + aPicker + "}}", "spec.services[B]: Forbidden: service A is an endpoint picker already"},
		"picker, two ports":       {"spec: {services: {E: " + aPicker + ", A: {componentType: frontend}, B: {componentType: frontend, envs: [{name: DYN_HTTP_PORT, value: \"80\"}]}}}", "spec.services[B]: Invalid value: listens on port 80 and service A on 8000"},
		"picker, two sidecars": {"spec: {services: {E: " + aPicker + ", A: " + ownFrontend("") + ", B: " + ownFrontend("args: [-m, dynamo.frontend, --http-port, '80'], ") + "}}",
			"spec.services[B]: Invalid value: listens on port 80 and service A on 8000"},
		"a sidecar's port":       {"spec: {services: {A: " + ownFrontend("env: [{name: DYN_HTTP_PORT, value: web}], ") + "}}", "spec.services[A].extraPodSpec.containers[front]: Invalid value: DYN_HTTP_PORT is \"web\", which is no port"},
		"picker, two namespaces": {"spec: {services: {E: " + aPicker + ", A: {componentType: frontend}, B: {componentType: frontend, globalDynamoNamespace: true}}}", "spec.services[B].globalDynamoNamespace: Invalid value: true: differs from that of service A"},
	} {
		t.Run(name, func(t *testing.T) {
			errs, _ := Graph(graphFrom(t, tc.graph), config.Default())
			if tc.want == "" {
				if len(errs) > 0 {
					t.Errorf("got %v, want no error", errs.ToAggregate())
				}
				return
			}
			if len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), tc.want) {
				t.Errorf("got %v, want %q", errs.ToAggregate(), tc.want)
			}
		})
	}
}

// No checkpoint is taken of what runs in several pods, or on several GPUs.
func TestServicesThatCannotHaveCheckpoints(t *testing.T) {
	const enabled = "checkpoint: {enabled: true, identity: {model: m, backendFramework: vllm"
	for name, tc := range map[string]struct{ service, want string }{
		"one GPU":        {enabled + "}}, resources: {limits: {gpu: '1'}}", ""},
		"none":           {enabled + "}}", ""},
		"off":            {"checkpoint: {enabled: false}, multinode: {nodeCount: 2}, resources: {limits: {gpu: '2'}}", ""},
		"several nodes":  {enabled + "}}, multinode: {nodeCount: 2}", "spec.checkpoint.enabled: Forbidden: the service runs on 2 nodes"},
		"several GPUs":   {enabled + "}}, resources: {limits: {gpu: '2'}}", "spec.checkpoint.enabled: Forbidden: 2 GPUs"},
		"only asked":     {enabled + "}}, resources: {requests: {gpu: '2'}}", "spec.checkpoint.enabled: Forbidden: 2 GPUs"},
		"of two kinds":   {enabled + "}}, resources: {limits: {gpu: '1', custom: {nvidia.com/mig-1g.5gb: '1'}}}", "spec.checkpoint.enabled: Forbidden: 2 GPUs"},
		"a network card": {enabled + "}}, resources: {limits: {gpu: '1', custom: {rdma/ib: '1'}}}", ""},
		"in parallel":    {enabled + ", tensorParallelSize: 2}}", "spec.checkpoint.identity: Forbidden: tensorParallelSize times pipelineParallelSize is 2"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := decode[v1alpha1.DynamoComponentDeploymentSharedSpec](t, "{"+tc.service+"}")
			expect(t, fromCheckpoint(specPath.Child("checkpoint"), spec), tc.want)
		})
	}
	for name, tc := range map[string]struct{ spec, want string }{
		"one GPU":     {"identity: {model: m, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]}}}", ""},
		"several":     {"identity: {model: m, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{resources: {limits: {nvidia.com/gpu: 4}}}]}}}", "spec.job.podTemplateSpec.spec.containers[0].resources: Forbidden: 4 GPUs"},
		"in parallel": {"identity: {model: m, backendFramework: vllm, pipelineParallelSize: 4}, job: {podTemplateSpec: {spec: {containers: [{}]}}}", "spec.identity: Forbidden"},
	} {
		t.Run("a checkpoint of "+name, func(t *testing.T) {
			expect(t, Checkpoint(decode[v1alpha1.DynamoCheckpoint](t, "{metadata: {name: c}, spec: {"+tc.spec+"}}"), config.Default()), tc.want)
		})
	}
}

func TestGraphReportsEveryMistake(t *testing.T) {
	errs, _ := Graph(graphFrom(t, "spec: {services: {A: {replicas: -1}, B: null, C: {sharedMemory: {}}}}"), config.Default())
	if len(errs) != 3 {
		t.Errorf("got %v, want one error for each of A, B and C", errs.ToAggregate())
	}
}

func TestAWrongNameIsOneMistake(t *testing.T) {
	for _, graph := range []string{
		"spec: {services: {'a b!': {}}}",
		"spec: {services: {" + strings.Repeat("s", 70) + ": {multinode: {nodeCount: 2}}}}",
	} {
		if errs, _ := Graph(graphFrom(t, graph), config.Default()); len(errs) != 1 {
			t.Errorf("got %v, want one error", errs.ToAggregate())
		}
	}
}

func TestWarnings(t *testing.T) {
	_, warnings := Graph(graphFrom(t, "spec: {services: {S: {dynamoNamespace: x, autoscaling: {enabled: true}, envs: [{name: DYN_DEPLOYMENT_CONFIG, value: '{}'}]}}}"), config.Default())
	if len(warnings) != 3 {
		t.Errorf("got %q, want one warning for each of three fields", warnings)
	}
	for i, want := range []string{"spec.services[S].dynamoNamespace is ignored", "spec.services[S].autoscaling is ignored", "DYN_DEPLOYMENT_CONFIG reaches the container, but sets no workers"} {
		if i < len(warnings) && !strings.Contains(warnings[i], want) {
			t.Errorf("got %q, want %q", warnings[i], want)
		}
	}
}

func TestComponent(t *testing.T) {
	dcd := &v1alpha1.DynamoComponentDeployment{}
	dcd.Name = "solo"
	giveImage(&dcd.Spec.DynamoComponentDeploymentSharedSpec)
	if errs, _ := Component(dcd, config.Default()); len(errs) > 0 {
		t.Errorf("got %v, want no error", errs.ToAggregate())
	}
	dcd.Spec.ComponentType = v1alpha1.ComponentTypeEPP
	if errs, _ := Component(dcd, config.Default()); !strings.Contains(errs.ToAggregate().Error(), "spec.componentType: Forbidden: an endpoint picker is a service of a graph") {
		t.Errorf("an endpoint picker without a graph: %v", errs)
	}
	dcd.Spec.ComponentType = ""
	dcd.Name = "solo.one"
	negative := int32(-1)
	dcd.Spec.Replicas = &negative
	errs, _ := Component(dcd, config.Default())
	for _, want := range []string{"metadata.name: Invalid value", "spec.replicas: Invalid value: -1"} {
		if len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), want) {
			t.Errorf("got %v, want %q", errs.ToAggregate(), want)
		}
	}
}

func TestGraphUpdate(t *testing.T) {
	for name, tc := range map[string]struct {
		old, updated string
		mayScale     bool
		want         string
	}{
		"image":                 {"spec: {services: {S: {}}}", "spec: {services: {S: {extraPodSpec: {mainContainer: {image: x}}}}}", false, ""},
		"framework":             {"spec: {backendFramework: vllm, services: {S: {}}}", "spec: {backendFramework: sglang, services: {S: {}}}", false, `spec.backendFramework: Forbidden: cannot change from "vllm" to "sglang"`},
		"added":                 {"spec: {services: {S: {}}}", "spec: {services: {S: {}, T: {}}}", false, ""},
		"removed":               {"spec: {services: {S: {}, T: {}}}", "spec: {services: {S: {}}}", false, ""},
		"to several nodes":      {"spec: {services: {S: {}}}", "spec: {services: {S: {multinode: {nodeCount: 2}}}}", false, ""},
		"more nodes":            {"spec: {services: {S: {multinode: {nodeCount: 2}}}}", "spec: {services: {S: {multinode: {nodeCount: 4}}}}", false, ""},
		"replicas":              {"spec: {services: {S: {}}}", "spec: {services: {S: {replicas: 3}}}", false, ""},
		"replicas, adapted":     {"spec: {services: {S: {scalingAdapter: {enabled: true}}}}", "spec: {services: {S: {replicas: 3, scalingAdapter: {enabled: true}}}}", false, "the scaling adapter owns the replicas: leave them out, and use kubectl scale -n "},
		"replicas, the planner": {"spec: {services: {S: {scalingAdapter: {enabled: true}}}}", "spec: {services: {S: {replicas: 3, scalingAdapter: {enabled: true}}}}", true, ""},
		"replicas left out":     {"spec: {services: {S: {replicas: 3, scalingAdapter: {enabled: true}}}}", "spec: {services: {S: {scalingAdapter: {enabled: true}}}}", false, ""},
		"1 written out":         {"spec: {services: {S: {scalingAdapter: {enabled: true}}}}", "spec: {services: {S: {replicas: 1, scalingAdapter: {enabled: true}}}}", false, ""},
		"adapter turned on":     {"spec: {services: {S: {}}}", "spec: {services: {S: {replicas: 3, scalingAdapter: {enabled: true}}}}", false, ""},
		"adapter turned off":    {"spec: {services: {S: {scalingAdapter: {enabled: true}}}}", "spec: {services: {S: {replicas: 3}}}", false, ""},
		"null before":           {"spec: {services: {S: null}}", "spec: {services: {S: {}}}", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			errs := GraphUpdate(graphFrom(t, tc.old), graphFrom(t, tc.updated), tc.mayScale)
			if tc.want == "" && len(errs) > 0 {
				t.Errorf("got %v, want no error", errs.ToAggregate())
			}
			if tc.want != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), tc.want)) {
				t.Errorf("got %v, want %q", errs.ToAggregate(), tc.want)
			}
		})
	}
}

func TestAPickerWithoutFrontends(t *testing.T) {
	_, warnings := Graph(graphFrom(t, "spec: {services: {E: "+aPicker+"}}"), config.Default())
	want := "spec.services[E]: the endpoint picker picks from the frontends of its graph, or from workers with a frontend of their own, and the graph has neither"
	if len(warnings) != 1 || warnings[0] != want {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}

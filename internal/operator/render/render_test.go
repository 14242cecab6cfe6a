package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// renderService renders the only service, "S", of a graph with the given spec.
func renderService(t *testing.T, spec string) *ComponentObjects {
	t.Helper()
	dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec:\n"+indent(spec)))
	objects, err := Component(owned(dgd, Components(dgd, testConfig(), Current)[0]), testConfig())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

func mainOf(t *testing.T, objects *ComponentObjects) *corev1.Container {
	t.Helper()
	main := mainContainer(objects.Deployment.Spec.Template.Spec)
	if main == nil {
		t.Fatal("the pod has no main container")
	}
	return main
}

func TestEnvironmentPrecedence(t *testing.T) {
	main := mainOf(t, renderService(t, `
envs: [{name: A, value: graph}, {name: B, value: graph}, {name: C, value: graph}, {name: NATS_SERVER, value: graph}]
services:
  S:
    componentType: worker
    envs: [{name: C, value: service}]
    extraPodSpec:
      mainContainer:
        env: [{name: B, value: main}, {name: C, value: main}, {name: DYN_SYSTEM_PORT, value: "1"}]
`))
	got := map[string]string{}
	for _, v := range main.Env {
		if _, twice := got[v.Name]; twice {
			t.Errorf("%s is set twice", v.Name)
		}
		got[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"A": "graph", "B": "main", "C": "service",
		"NATS_SERVER": "graph", "DYN_SYSTEM_PORT": "1",
		"DYN_NAMESPACE": "ns-g", "DYN_COMPONENT": "worker", "ETCD_ENDPOINTS": "http://etcd.platform.svc:2379",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}

func TestMergeEnvKeepsChainsWhole(t *testing.T) {
	env := func(pairs ...string) []corev1.EnvVar {
		var vars []corev1.EnvVar
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			vars = append(vars, corev1.EnvVar{Name: name, Value: value})
		}
		return vars
	}
	for name, tc := range map[string]struct{ weak, strong, want []corev1.EnvVar }{
		"the user's order stays":             {env("Z=1", "Y=$(Z)"), env("B=2", "A=$(B)"), env("Z=1", "Y=$(Z)", "B=2", "A=$(B)")},
		"an override takes the strong place": {env("A=1", "B=2"), env("C=3", "A=$(C)"), env("B=2", "C=3", "A=$(C)")},
		"what is referred to comes first":    {env("A=1", "B=$(A)/x"), env("A=2"), env("A=2", "B=$(A)/x")},
		"an escaped reference is text":       {env("B=$$(A)"), env("A=2"), env("B=$$(A)", "A=2")},
		"a circle stays as written":          {env("A=$(B)"), env("B=$(A)"), env("B=$(A)", "A=$(B)")},
		"the last of a name wins":            {nil, env("A=1", "B=0", "A=2"), env("B=0", "A=2")},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, mergeEnv(tc.weak, tc.strong)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestProbesAreTakenWhole(t *testing.T) {
	main := mainOf(t, renderService(t, `
services:
  S:
    componentType: worker
    readinessProbe: {exec: {command: [service]}}
    extraPodSpec:
      mainContainer:
        livenessProbe: {exec: {command: [main]}}
        readinessProbe: {exec: {command: [main]}}
`))
	if main.LivenessProbe.HTTPGet != nil || main.LivenessProbe.Exec.Command[0] != "main" {
		t.Errorf("liveness %+v, want the main container's alone", main.LivenessProbe)
	}
	if main.ReadinessProbe.HTTPGet != nil || main.ReadinessProbe.Exec.Command[0] != "service" {
		t.Errorf("readiness %+v, want the service's alone", main.ReadinessProbe)
	}
	if main.StartupProbe == nil || main.StartupProbe.HTTPGet.Path != "/live" {
		t.Errorf("startup %+v, want the default", main.StartupProbe)
	}
}

func TestAProbeWithoutAHandlerAsksWhatTheTypesDoes(t *testing.T) {
	main := mainOf(t, renderService(t, `
services: {S: {componentType: worker, extraPodSpec: {mainContainer: {startupProbe: {initialDelaySeconds: 180}}}}}`))
	if p := main.StartupProbe; p.HTTPGet == nil || p.HTTPGet.Path != "/live" || p.InitialDelaySeconds != 180 || p.FailureThreshold != 0 {
		t.Errorf("got %+v, want the user's timing and the type's question", p)
	}
}

func TestWhoeverMovesTheServerMovesItsPort(t *testing.T) {
	for name, tc := range map[string]struct {
		service string
		want    int32
	}{
		"variable of the graph":     {"componentType: worker", 8081},
		"variable of the service":   {`componentType: frontend, envs: [{name: DYN_HTTP_PORT, value: "8080"}]`, 8080},
		"flag":                      {"componentType: frontend, extraPodSpec: {mainContainer: {args: [-m, dynamo.frontend, --http-port, \"8001\"]}}", 8001},
		"flag in a line":            {"componentType: frontend, extraPodSpec: {mainContainer: {command: [sh, -c], args: [\"python3 -m dynamo.frontend --http-port=8001; true\"]}}", 8001},
		"flag wins over a variable": {`componentType: frontend, envs: [{name: DYN_HTTP_PORT, value: "8080"}], extraPodSpec: {mainContainer: {args: [--http-port=8001]}}`, 8001},
		"a sidecar's port http":     {"componentType: frontend, extraPodSpec: {containers: [{name: auth, image: a, ports: [{name: http, containerPort: 4180}]}], mainContainer: {image: a}}", 8000},
	} {
		t.Run(name, func(t *testing.T) {
			objects := renderService(t, "envs: [{name: DYN_SYSTEM_PORT, value: \"8081\"}]\nservices: {S: {"+tc.service+"}}")
			if got := objects.Service.Spec.Ports[0].TargetPort; got != intstr.FromInt32(tc.want) {
				t.Errorf("the Service leads to %s, want %d", got.String(), tc.want)
			}
			main := mainOf(t, objects)
			if got := main.LivenessProbe.HTTPGet.Port; got != intstr.FromInt32(tc.want) {
				t.Errorf("the probe asks %s, want %d", got.String(), tc.want)
			}
			if got := main.Ports[0].ContainerPort; got != tc.want {
				t.Errorf("the container declares %d, want %d", got, tc.want)
			}
		})
	}
}

func TestWhatTheServerRefusesIsSaidInTheAuthorsWords(t *testing.T) {
	objects := renderService(t, "services: {S: {componentType: worker, extraPodSpec: {containers: [{name: side, image: a}]}}}")
	for said, want := range map[string]string{
		`apply Deployment ns/g-s: Deployment.apps "g-s" is invalid: spec.template.spec.containers[1].env[0].name: Invalid value: "="`:                                                   `extraPodSpec.mainContainer.env[0].name: Invalid value: "="`,
		`Deployment.apps "g-s" is invalid: [spec.template.spec.containers[0].image: Required value, spec.template.spec.hostname: Invalid value]`:                                        `[extraPodSpec.containers[0].image: Required value, extraPodSpec.hostname: Invalid value]`,
		`Deployment.apps "g-s" is invalid: spec.template.metadata.annotations: Invalid value`:                                                                                           `extraPodMetadata.annotations: Invalid value`,
		`apply Deployment ns/g-s: failed to create typed patch object (ns/g-s; apps/v1, Kind=Deployment): .spec.template.spec.resourceClaims[name="a"].x: field not declared in schema`: `extraPodSpec.resourceClaims[name="a"].x: this version of Kubernetes has no such field`,
	} {
		if got := objects.AuthorsWords(errors.New(said)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTwoFrontendsHaveTwoHosts(t *testing.T) {
	dgd := parseGraph(t, []byte("metadata: {name: pair, namespace: ns}\nspec: {services: {Chat: {componentType: frontend}, Admin: {componentType: frontend}}}"))
	var hosts []string
	for _, component := range Components(dgd, testConfig(), Current) {
		objects, err := Component(owned(dgd, component), testConfig())
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, objects.Ingress.Spec.Rules[0].Host)
	}
	if diff := cmp.Diff([]string{"pair.local", "pair-chat.local"}, hosts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnAccountOfOnesOwnMayDiscoverAndPull(t *testing.T) {
	cfg := testConfig()
	cfg.Components.ImagePullSecrets = []string{"configured"}
	dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec: {services: {S: {componentType: worker, extraPodSpec: {serviceAccountName: cloud-reader}}}}"))
	graph := Graph(dgd, cfg, nil)
	var subjects []string
	for _, subject := range graph.Access.RoleBinding.Subjects {
		subjects = append(subjects, subject.Name)
	}
	if diff := cmp.Diff([]string{DiscoveryServiceAccount("g"), "cloud-reader"}, subjects); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	objects, err := Component(owned(dgd, Components(dgd, cfg, Current)[0]), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := objects.Deployment.Spec.Template.Spec.ImagePullSecrets; len(got) != 1 || got[0].Name != "configured" {
		t.Errorf("pull secrets %v, want that of the configuration", got)
	}
}

func TestArgumentsWithoutACommand(t *testing.T) {
	for name, tc := range map[string]struct {
		service       string
		command, args []string
	}{
		"a frontend's flags":     {"componentType: frontend, extraPodSpec: {mainContainer: {args: [--router-mode, kv]}}", []string{"python3", "-m", "dynamo.frontend"}, []string{"--router-mode", "kv"}},
		"a frontend's module":    {"componentType: frontend, extraPodSpec: {mainContainer: {args: [-m, other]}}", []string{"python3"}, []string{"-m", "other"}},
		"a frontend's line":      {`componentType: frontend, extraPodSpec: {mainContainer: {args: ["python3 -m dynamo.frontend --x"]}}`, []string{"/bin/sh", "-c"}, []string{"python3 -m dynamo.frontend --x"}},
		"a worker's words":       {"componentType: worker, extraPodSpec: {mainContainer: {args: [python3, -m, dynamo.vllm]}}", nil, []string{"python3", "-m", "dynamo.vllm"}},
		"a worker's line":        {`componentType: worker, extraPodSpec: {mainContainer: {args: ["python3 -m dynamo.vllm"]}}`, []string{"/bin/sh", "-c"}, []string{"python3 -m dynamo.vllm"}},
		"a plain one's flags":    {"extraPodSpec: {mainContainer: {args: [--serve, now]}}", nil, []string{"--serve", "now"}},
		"a plain one's one flag": {"extraPodSpec: {mainContainer: {args: [--serve]}}", nil, []string{"--serve"}},
	} {
		t.Run(name, func(t *testing.T) {
			main := mainOf(t, renderService(t, "services: {S: {"+tc.service+"}}"))
			if diff := cmp.Diff([][]string{tc.command, tc.args}, [][]string{main.Command, main.Args}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestADeploymentWaitsAsLongAsItsProbes(t *testing.T) {
	for service, want := range map[string]int32{
		"componentType: worker":   7200 + 30 + 60,
		"componentType: frontend": 600,
		"componentType: worker, extraPodSpec: {mainContainer: {startupProbe: {failureThreshold: 1, periodSeconds: 2147483647}}}": 2147483647,
	} {
		if got := *renderService(t, "services: {S: {"+service+"}}").Deployment.Spec.ProgressDeadlineSeconds; got != want {
			t.Errorf("%s: %d s, want %d", service, got, want)
		}
	}
}

func TestAFrontendServesOnForAMomentWhenItIsToEnd(t *testing.T) {
	for service, want := range map[string]string{
		"componentType: frontend": "sleep 5",
		"componentType: worker":   "",
		"componentType: frontend, extraPodSpec: {terminationGracePeriodSeconds: 5}":                                   "",
		"componentType: frontend, extraPodSpec: {mainContainer: {lifecycle: {preStop: {exec: {command: [mine]}}}}}":   "mine",
		"componentType: frontend, extraPodSpec: {mainContainer: {lifecycle: {postStart: {exec: {command: [mine]}}}}}": "sleep 5",
	} {
		got, main := "", mainOf(t, renderService(t, "services: {S: {"+service+"}}"))
		if main.Lifecycle != nil && main.Lifecycle.PreStop != nil {
			got = strings.Join(main.Lifecycle.PreStop.Exec.Command, " ")
		}
		if got != want {
			t.Errorf("%s: preStop %q, want %q", service, got, want)
		}
	}
}

func TestPorts(t *testing.T) {
	for name, tc := range map[string]struct {
		ports      string
		want       []corev1.ContainerPort
		target     string
		portEnvVar string
	}{
		"none":           {"[]", []corev1.ContainerPort{{Name: "http", ContainerPort: 8000, Protocol: "TCP"}}, "8000", "8000"},
		"another":        {"[{name: grpc, containerPort: 9}]", []corev1.ContainerPort{{Name: "grpc", ContainerPort: 9, Protocol: "TCP"}, {Name: "http", ContainerPort: 8000, Protocol: "TCP"}}, "8000", "8000"},
		"same name":      {"[{name: http, containerPort: 80}]", []corev1.ContainerPort{{Name: "http", ContainerPort: 80, Protocol: "TCP"}}, "80", "80"},
		"same number":    {"[{containerPort: 8000, hostPort: 80}]", []corev1.ContainerPort{{Name: "http", ContainerPort: 8000, HostPort: 80, Protocol: "TCP"}}, "8000", "8000"},
		"another's name": {"[{name: web, containerPort: 8000}]", []corev1.ContainerPort{{Name: "web", ContainerPort: 8000, Protocol: "TCP"}}, "8000", "8000"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := renderService(t, "services: {S: {componentType: frontend, extraPodSpec: {mainContainer: {ports: "+tc.ports+"}}}}")
			main := mainOf(t, objects)
			if diff := cmp.Diff(tc.want, main.Ports); diff != "" {
				t.Errorf("ports -want +got:\n%s", diff)
			}
			service := objects.Service.Spec.Ports[0]
			if service.Port != 8000 || service.TargetPort.String() != tc.target {
				t.Errorf("the Service leads from %d to %s, want from 8000 to %s", service.Port, service.TargetPort.String(), tc.target)
			}
			if probe := main.LivenessProbe.HTTPGet.Port.String(); probe != tc.target {
				t.Errorf("the probe asks port %s, want %s", probe, tc.target)
			}
			for _, v := range main.Env {
				if v.Name == "DYN_HTTP_PORT" && v.Value != tc.portEnvVar {
					t.Errorf("DYN_HTTP_PORT=%s, want %s", v.Value, tc.portEnvVar)
				}
			}
		})
	}
}

func TestCommand(t *testing.T) {
	for name, tc := range map[string]struct {
		service       string
		command, args []string
	}{
		"frontend default":    {"{componentType: frontend}", []string{"python3"}, []string{"-m", "dynamo.frontend"}},
		"frontend, args only": {"{componentType: frontend, extraPodSpec: {mainContainer: {args: [-m, mine]}}}", []string{"python3"}, []string{"-m", "mine"}},
		"frontend, command":   {"{componentType: frontend, extraPodSpec: {mainContainer: {command: [mine]}}}", []string{"mine"}, nil},
		"worker, args only":   {"{componentType: worker, extraPodSpec: {mainContainer: {args: [python3 x.py]}}}", []string{"/bin/sh", "-c"}, []string{"python3 x.py"}},
		"worker, nothing":     {"{componentType: worker}", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			main := mainOf(t, renderService(t, "services: {S: "+tc.service+"}"))
			if diff := cmp.Diff([][]string{tc.command, tc.args}, [][]string{main.Command, main.Args}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEngine(t *testing.T) {
	for name, tc := range map[string]struct {
		declared v1alpha1.BackendFramework
		kind     string
		command  []string
		want     v1alpha1.BackendFramework
		err      string
	}{
		"list":              {"", "worker", []string{"python3", "-m", "dynamo.vllm", "--model", "x"}, "vllm", ""},
		"interpreter path":  {"", "prefill", []string{"/opt/venv/bin/python3.12", "-u", "-m", "dynamo.sglang"}, "sglang", ""},
		"shell line":        {"", "worker", []string{"/bin/sh", "-c", "cd /x && exec python3 -m dynamo.trtllm \\\n  --x"}, "trtllm", ""},
		"continued line":    {"", "worker", []string{"sh", "-c", "python3 \\\n -m dynamo.vllm"}, "vllm", ""},
		"not one command":   {"", "worker", []string{"sh", "-c", "python3 -m other; echo dynamo.vllm"}, "", ""},
		"declared":          {"vllm", "worker", []string{"python3", "hello.py"}, "vllm", ""},
		"not a worker":      {"vllm", "frontend", []string{"python3", "-m", "dynamo.sglang"}, "", ""},
		"contradiction":     {"vllm", "worker", []string{"python3", "-m", "dynamo.sglang"}, "", "runs dynamo.sglang, but backendFramework is vllm"},
		"two in one script": {"", "worker", []string{"sh", "-c", "python3 -m dynamo.vllm & python3 -m dynamo.sglang"}, "", "both dynamo.vllm and dynamo.sglang"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &v1alpha1.DynamoComponentDeploymentSharedSpec{
				ComponentType: tc.kind,
				ExtraPodSpec:  &v1alpha1.ExtraPodSpec{MainContainer: &corev1.Container{Command: tc.command[:1], Args: tc.command[1:]}},
			}
			got, err := Engine(tc.declared, spec)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestResourceRequirements(t *testing.T) {
	for name, tc := range map[string]struct {
		in               v1alpha1.Resources
		requests, limits map[string]string
	}{
		"requested GPUs are limited too": {
			v1alpha1.Resources{Requests: &v1alpha1.ResourceItem{GPU: "2", CPU: "1"}},
			map[string]string{"nvidia.com/gpu": "2", "cpu": "1"}, map[string]string{"nvidia.com/gpu": "2"},
		},
		"a limit alone stays alone": {
			v1alpha1.Resources{Limits: &v1alpha1.ResourceItem{GPU: "2", Memory: "1Gi"}},
			map[string]string{}, map[string]string{"nvidia.com/gpu": "2", "memory": "1Gi"},
		},
		"the limit's type counts for the request": {
			v1alpha1.Resources{Requests: &v1alpha1.ResourceItem{GPU: "1"}, Limits: &v1alpha1.ResourceItem{GPU: "1", GPUType: "example.com/gpu"}},
			map[string]string{"example.com/gpu": "1"}, map[string]string{"example.com/gpu": "1"},
		},
		"custom": {
			v1alpha1.Resources{Requests: &v1alpha1.ResourceItem{Custom: map[string]string{"rdma/ib": "1", "hugepages-2Mi": "4Mi"}}},
			map[string]string{"rdma/ib": "1", "hugepages-2Mi": "4Mi"}, map[string]string{"rdma/ib": "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ResourceRequirements(&tc.in)
			if err != nil {
				t.Fatal(err)
			}
			flat := func(list corev1.ResourceList) map[string]string {
				out := map[string]string{}
				for name, quantity := range list {
					out[string(name)] = quantity.String()
				}
				return out
			}
			if diff := cmp.Diff([]map[string]string{tc.requests, tc.limits}, []map[string]string{flat(got.Requests), flat(got.Limits)}); diff != "" {
				t.Errorf("requests, limits: -want +got:\n%s", diff)
			}
		})
	}
	if _, err := ResourceRequirements(&v1alpha1.Resources{Limits: &v1alpha1.ResourceItem{GPU: "two"}}); err == nil || !strings.Contains(err.Error(), `resources.limits.gpu: "two"`) {
		t.Errorf("got %v, want an error naming resources.limits.gpu", err)
	}
}

func TestLabelsOfUsersNeverReplaceOurs(t *testing.T) {
	objects := renderService(t, `
services:
  S:
    labels: {nvidia.com/selector: evil, team: a}
    extraPodMetadata: {labels: {nvidia.com/dynamo-namespace: evil, tier: b}}
`)
	pod := objects.Deployment.Spec.Template.Labels
	for key, want := range map[string]string{
		v1alpha1.LabelSelector: "g-s", v1alpha1.LabelNamespace: "ns-g", v1alpha1.LabelComponent: "S", "team": "a", "tier": "b",
	} {
		if pod[key] != want {
			t.Errorf("pod label %s = %q, want %q", key, pod[key], want)
		}
	}
	if diff := cmp.Diff(map[string]string{v1alpha1.LabelSelector: "g-s"}, objects.Service.Spec.Selector); diff != "" {
		t.Errorf("Service selector -want +got:\n%s", diff)
	}
}

func TestDirectivesStayOffThePods(t *testing.T) {
	template := renderService(t, `
services:
  S: {annotations: {nvidia.com/deployment-strategy: Recreate, example.com/a: b, nvidia.com/restartAt: "1"}}
`).Deployment
	want := map[string]string{"example.com/a": "b", "nvidia.com/restartAt": "1"}
	if diff := cmp.Diff(want, template.Spec.Template.Annotations); diff != "" {
		t.Errorf("pod annotations -want +got:\n%s", diff)
	}
	if _, ok := template.Annotations[v1alpha1.AnnotationRestartAt]; ok {
		t.Error("a restart belongs to the pods, not to the Deployment")
	}
}

func TestHandWrittenComponentStandsAlone(t *testing.T) {
	dcd := &v1alpha1.DynamoComponentDeployment{ObjectMeta: metav1.ObjectMeta{Name: "solo", Namespace: "ns"}}
	dcd.Spec.ComponentType = "worker"
	objects, err := Component(dcd, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	pod := objects.Deployment.Spec.Template
	if pod.Spec.ServiceAccountName != "" {
		t.Errorf("ServiceAccount %q, want the namespace's default: without a graph there is no other", pod.Spec.ServiceAccountName)
	}
	if pod.Labels[v1alpha1.LabelNamespace] != "ns-solo" || pod.Labels[v1alpha1.LabelComponent] != "solo" {
		t.Errorf("labels %v, want a logical namespace and component of its own", pod.Labels)
	}
}

func TestIngressHost(t *testing.T) {
	for name, tc := range map[string]struct{ ingress, want string }{
		"bare":            {"{enabled: true, host: chat}", "chat.local"},
		"full":            {"{enabled: true, host: chat.example.com}", "chat.example.com"},
		"prefix, suffix":  {"{enabled: true, host: chat, hostPrefix: a-, hostSuffix: example.com}", "a-chat.example.com"},
		"suffix on a dot": {"{enabled: true, host: chat.x, hostSuffix: example.com}", "chat.x.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := renderService(t, "services: {S: {componentType: frontend, ingress: "+tc.ingress+"}}")
			if got := objects.Ingress.Spec.Rules[0].Host; got != tc.want {
				t.Errorf("host %s, want %s", got, tc.want)
			}
		})
	}
	if renderService(t, "services: {S: {componentType: frontend, ingress: {enabled: false}}}").Ingress != nil {
		t.Error("a disabled ingress was rendered")
	}
	if renderService(t, "services: {S: {componentType: worker}}").Ingress != nil {
		t.Error("a worker got an Ingress that nobody asked for")
	}
}

func TestAGatewayRoutesWhatAsksForNothingElse(t *testing.T) {
	cfg := testConfig()
	cfg.Ingress.ClassName, cfg.Ingress.HTTPRouteGateway, cfg.Ingress.HostSuffix = "", "edge/public", "example.com"
	for name, tc := range map[string]struct{ service, route, ingress string }{
		"a frontend":     {"componentType: frontend", "g.example.com", ""},
		"a host":         {"ingress: {enabled: true, host: x}", "x.example.com", ""},
		"a class":        {"ingress: {enabled: true, host: x, ingressControllerClassName: nginx}", "", "x.example.com"},
		"a certificate":  {"ingress: {enabled: true, host: x, tls: {secretName: s}}", "", "x.example.com"},
		"nothing":        {"componentType: worker", "", ""},
		"kept inside":    {"componentType: frontend, ingress: {}", "", ""},
		"through a mesh": {"ingress: {enabled: true, host: x, useVirtualService: true, virtualServiceGateway: a/b}", "", ""},
	} {
		dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec: {services: {S: {"+tc.service+", extraPodSpec: {mainContainer: {image: r}}}}}"))
		objects, err := Component(owned(dgd, Components(dgd, cfg, Current)[0]), cfg)
		if err != nil {
			t.Fatal(err)
		}
		route, ingress := "", ""
		if objects.HTTPRoute != nil {
			route = objects.HTTPRoute.Spec.Hostnames[0]
		}
		if objects.Ingress != nil {
			ingress = objects.Ingress.Spec.Rules[0].Host
		}
		if route != tc.route || ingress != tc.ingress {
			t.Errorf("%s: route %q and Ingress %q, want %q and %q", name, route, ingress, tc.route, tc.ingress)
		}
	}
}

func TestRestrictedModeLeavesThePlannersAccessToTheChart(t *testing.T) {
	cfg := testConfig()
	cfg.Namespace.Restricted = "ns"
	dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec: {services: {P: {componentType: planner}, E: {componentType: epp}}}"))
	if shared := Graph(dgd, cfg, nil).Shared; len(shared) > 0 {
		t.Errorf("a restricted operator rendered %+v", shared)
	}
}

func TestRenderingLeavesTheGraphAlone(t *testing.T) {
	dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec: {envs: [{name: A, value: b}], services: {S: {componentType: worker, extraPodSpec: {mainContainer: {env: [{name: C, value: d}]}}}}}"))
	before := dgd.DeepCopy()
	for _, dcd := range Components(dgd, testConfig(), Current) {
		if _, err := Component(dcd, testConfig()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, dgd); diff != "" {
		t.Errorf("rendering changed its input:\n%s", diff)
	}
}

func TestPathwayOf(t *testing.T) {
	for name, tc := range map[string]struct {
		service string
		cluster Capabilities
		want    string
	}{
		"one node":          {"{componentType: worker}", Capabilities{}, ""},
		"several nodes":     {"{multinode: {nodeCount: 2}}", Capabilities{LeaderWorkerSets: true}, ""},
		"no API for groups": {"{multinode: {nodeCount: 2}}", Capabilities{}, "service S: multinode.nodeCount is above 1, and the operator has no API that runs groups of pods"},
		"endpoint picker":   {"{componentType: epp}", Capabilities{}, "service S: componentType epp needs InferencePools, whose API"},
		"its API":           {"{componentType: epp}", Capabilities{InferencePools: true}, ""},
		"checkpoint":        {"{checkpoint: {enabled: true, checkpointRef: c}}", Capabilities{}, "service S: checkpoint.enabled needs"},
		"disabled features": {"{checkpoint: {enabled: false}, scalingAdapter: {enabled: false}}", Capabilities{}, ""},
		"scaling adapter":   {"{scalingAdapter: {enabled: true}}", Capabilities{}, ""},
		"an Istio route":    {"{ingress: {enabled: true, host: x, useVirtualService: true}}", Capabilities{}, "service S: ingress.useVirtualService needs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := PathwayOf(parseGraph(t, []byte("spec: {services: {S: "+tc.service+"}}")), tc.cluster, "")
			if tc.want == "" && err != nil {
				t.Errorf("got %v, want none", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// What comes to the cluster moves no graph; its author does.
func TestWhetherAGraphRunsThroughGrove(t *testing.T) {
	all := Capabilities{Grove: true, LeaderWorkerSets: true, KAI: true}
	for name, tc := range map[string]struct {
		service string
		wish    string
		cluster Capabilities
		running string
		want    string
		says    string
	}{
		"a new graph":                       {service: "{}", cluster: all, want: PathGrove},
		"a new graph, and no Grove":         {service: "{}", cluster: Capabilities{LeaderWorkerSets: true}, want: PathDeployment},
		"told not to":                       {service: "{}", wish: "False", cluster: all, want: PathDeployment},
		"it runs another way":               {service: "{}", cluster: all, running: PathDeployment, want: PathDeployment, says: "moves it to Grove"},
		"it runs another way, told to":      {service: "{}", wish: "true", cluster: all, running: PathDeployment, want: PathGrove},
		"it runs another way, told nothing": {service: "{}", wish: "fasle", cluster: all, running: PathDeployment, want: PathDeployment},
		"told to, and no Grove":             {service: "{}", wish: "true", want: PathDeployment},
		"it runs so, and Grove has gone":    {service: "{}", running: PathGrove, says: "whose API"},
		"it runs so, told not to":           {service: "{}", wish: "false", cluster: all, running: PathGrove, want: PathDeployment},
		"a checkpoint":                      {service: "{checkpoint: {enabled: true, checkpointRef: c}}", cluster: Capabilities{Grove: true, Checkpoints: true}, want: PathDeployment, says: "Grove cannot run it: service S: checkpoint.enabled is for Deployments"},
		"no replicas":                       {service: "{replicas: 0}", cluster: all, want: PathDeployment, says: "Grove cannot run it: service S: replicas is 0"},
		"no replicas any more":              {service: "{replicas: 0}", cluster: all, running: PathGrove, says: "service S: replicas is 0"},
		"a node of its own":                 {service: "{extraPodSpec: {nodeName: a}}", cluster: all, want: PathDeployment, says: "extraPodSpec.nodeName"},
		"spread":                            {service: "{extraPodSpec: {topologySpreadConstraints: [{maxSkew: 1}]}}", cluster: all, want: PathDeployment, says: "extraPodSpec.topologySpreadConstraints"},
		"several nodes":                     {service: "{multinode: {nodeCount: 2}}", cluster: all, want: PathGrove},
		"several nodes, a schedule":         {service: "{multinode: {nodeCount: 2}, replicas: 0}", cluster: Capabilities{Grove: true}, says: "service S: replicas is 0"},
		"several nodes, and Grove came":     {service: "{multinode: {nodeCount: 2}}", cluster: all, running: PathLeaderWorkerSet, want: PathLeaderWorkerSet, says: "moves it to Grove"},
		"several nodes, neither of the two": {service: "{multinode: {nodeCount: 2}}", says: "no API that runs groups of pods"},
	} {
		t.Run(name, func(t *testing.T) {
			dgd := parseGraph(t, []byte("metadata: {name: g}\nspec: {services: {S: "+tc.service+"}}"))
			if tc.wish != "" {
				dgd.Annotations = map[string]string{v1alpha1.AnnotationEnableGrove: tc.wish}
			}
			path, err := PathwayOf(dgd, tc.cluster, tc.running)
			said := path.Why
			if err != nil {
				said = err.Error()
			}
			if path.Name != tc.want || (err != nil) != (tc.want == "") || !strings.Contains(said, tc.says) {
				t.Errorf("got %q: %s, want %q: %s", path.Name, said, tc.want, tc.says)
			}
		})
	}
}

func TestFitsGrove(t *testing.T) {
	for name, tc := range map[string]struct{ services, want string }{
		"as long as can be": {"{a: {}}", ""},
		"names too long":    {"{a2345678901234567890123456789012345678901234: {}}", "1 characters too long"},
		"a group's":         {"{a23456789012345678901: {multinode: {nodeCount: 2}}}", "3 characters too long"},
		"the same clique":   {"{A: {multinode: {nodeCount: 2}}, a-ldr: {}}", "service a-ldr: is called a-ldr in Grove, as service A is"},
		"Grove's Service":   {`{"0": {}}`, "name of Grove's own"},
		"two schedulers":    {"{A: {extraPodSpec: {schedulerName: x}}, B: {}}", "service B: has another scheduler than service A"},
		"no command":        {"{A: {componentType: worker, multinode: {nodeCount: 2}, extraPodSpec: {mainContainer: {command: [python3, -m, dynamo.vllm]}}}}", "resources.limits.gpu is not set"},
	} {
		err := fitsGrove(parseGraph(t, []byte("metadata: {name: gg}\nspec: {services: "+tc.services+"}")))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// Without NATS, KV events go over ZMQ; what a user says stays.
func TestMessaging(t *testing.T) {
	told := func(address, service string) (server, plane string) {
		t.Helper()
		cfg := testConfig()
		cfg.Infrastructure.NATSAddress = address
		dgd := parseGraph(t, []byte("metadata: {name: g, namespace: ns}\nspec: {services: {S: "+service+"}}"))
		objects, err := Component(owned(dgd, Components(dgd, cfg, Current)[0]), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range mainOf(t, objects).Env {
			switch v.Name {
			case "NATS_SERVER":
				server = v.Value
			case "DYN_EVENT_PLANE":
				plane = v.Value
			}
		}
		return server, plane
	}
	for name, tc := range map[string]struct{ address, service, server, plane string }{
		"with NATS":             {"nats://nats.p.svc:4222", "{}", "nats://nats.p.svc:4222", ""},
		"without":               {"", "{}", "", "zmq"},
		"a NATS of the user's":  {"", "{envs: [{name: NATS_SERVER, value: theirs}]}", "theirs", ""},
		"in the container":      {"", "{extraPodSpec: {mainContainer: {env: [{name: NATS_SERVER, value: theirs}]}}}", "theirs", ""},
		"a plane of the user's": {"", "{envs: [{name: DYN_EVENT_PLANE, value: nats}]}", "", "nats"},
	} {
		if server, plane := told(tc.address, tc.service); server != tc.server || plane != tc.plane {
			t.Errorf("%s: NATS_SERVER=%q DYN_EVENT_PLANE=%q, want %q %q", name, server, plane, tc.server, tc.plane)
		}
	}
}

func TestMissingNATS(t *testing.T) {
	running := func(command string) string { return "{extraPodSpec: {mainContainer: {command: " + command + "}}}" }
	for name, tc := range map[string]struct{ service, want string }{
		"a frontend":           {"{componentType: frontend}", ""},
		"an engine":            {running("[python3, -m, dynamo.vllm, --model, x]"), ""},
		"an engine in a shell": {running(`[sh, -c, "exec python3 -u -m dynamo.sglang --page-size 1"]`), ""},
		"a planner":            {"{componentType: planner}", "service S is a planner, which connects to NATS at its start"},
		"a router":             {running("[python3, -m, dynamo.router, --endpoint, a.b.c]"), "service S runs dynamo.router, which"},
		"a script":             {running(`[sh, -c, "python3 hello_world.py"]`), "service S runs hello_world.py, which"},
		"a continued line":     {running(`[sh, -c, "python3 \\\n  -m my.worker"]`), "service S runs my.worker, which"},
		"another program":      {running("[/bin/server]"), ""},
		"requests":             {"{envs: [{name: DYN_REQUEST_PLANE, value: nats}]}", "service S sends requests through NATS"},
		"requests by a flag":   {running("[python3, -m, dynamo.vllm, --request-plane, nats]"), "service S sends requests through NATS"},
		"a NATS of the user's": {"{componentType: planner, envs: [{name: NATS_SERVER, value: theirs}]}", ""},
	} {
		dgd := parseGraph(t, []byte("spec: {services: {S: "+tc.service+"}}"))
		got := strings.Join(MissingNATS(dgd, ""), "\n")
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
		if missing := MissingNATS(dgd, "nats://nats.p.svc:4222"); len(missing) > 0 {
			t.Errorf("%s: with NATS: %q", name, missing)
		}
	}
}

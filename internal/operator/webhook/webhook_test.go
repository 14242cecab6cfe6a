package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const (
	operator = "system:serviceaccount:inference:dynamo-operator-controller-manager"
	planner  = "system:serviceaccount:team-a:planner-serviceaccount"
)

var (
	validateGraphs      = ValidatePath("dynamographdeployments")
	validateComponents  = ValidatePath("dynamocomponentdeployments")
	validateModels      = ValidatePath("dynamomodels")
	validateRequests    = ValidatePath("dynamographdeploymentrequests")
	validateCheckpoints = ValidatePath("dynamocheckpoints")
	validateAdapters    = ValidatePath("dynamographdeploymentscalingadapters")
)

func options() Options {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	return Options{
		Cluster: func() render.Capabilities { return render.Capabilities{} },
		Kinds:   kinds.All(), Scheme: scheme, OperatorUser: operator, Version: "1.2.3", Config: config.Default(),
		Serves: func(_ context.Context, namespace string) (bool, error) {
			switch namespace {
			case "claimed":
				return false, nil
			case "broken":
				return false, errors.New("no Lease")
			}
			return true, nil
		},
	}
}

const services = "spec: {services: {S: {extraPodSpec: {mainContainer: {image: x}}}}}"

// document is a graph named chat in team-a, unless the text says otherwise.
func document(t *testing.T, text string) runtime.RawExtension {
	t.Helper()
	object := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
	}
	for key, value := range map[string]any{"name": "chat", "namespace": "team-a"} {
		if _, set := metadata[key]; !set {
			metadata[key] = value
		}
	}
	object["metadata"] = metadata
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: raw}
}

func ask(t *testing.T, path, user, old, object string) admission.Response {
	t.Helper()
	request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "1", Operation: admissionv1.Create, Object: document(t, object),
		UserInfo: authenticationv1.UserInfo{Username: user},
	}}
	var head struct {
		Metadata struct{ Name, Namespace string }
	}
	if err := json.Unmarshal(request.Object.Raw, &head); err != nil {
		t.Fatal(err)
	}
	request.Name, request.Namespace = head.Metadata.Name, head.Metadata.Namespace
	if old != "" {
		request.Operation, request.OldObject = admissionv1.Update, document(t, old)
	}
	return Handlers(options())[path].Handle(t.Context(), request)
}

func TestAnswers(t *testing.T) {
	const (
		adapted = "spec: {services: {S: {scalingAdapter: {enabled: true}, extraPodSpec: {mainContainer: {image: x}}}}}"
		scaled  = "spec: {services: {S: {replicas: 3, scalingAdapter: {enabled: true}, extraPodSpec: {mainContainer: {image: x}}}}}"
	)
	for name, test := range map[string]struct {
		path, user, old, object string
		// want is a part of the refusal; empty means allowed.
		want string
		code int32
	}{
		"a good graph":           {path: validateGraphs, object: services},
		"a bad graph":            {path: validateGraphs, object: "spec: {services: {S: {}}}", want: "spec.services[S].extraPodSpec.mainContainer.image: Required value", code: http.StatusUnprocessableEntity},
		"a null service":         {path: validateGraphs, object: "spec: {services: {S: null}}", want: "spec.services[S]: Required value", code: http.StatusUnprocessableEntity},
		"null services, update":  {path: validateGraphs, old: "spec: {services: {S: null}}", object: "spec: {services: {S: null}}", want: "spec.services[S]: Required value", code: http.StatusUnprocessableEntity},
		"no spec at all":         {path: validateGraphs, object: "{}", want: "spec.services: Required value", code: http.StatusUnprocessableEntity},
		"not our kind of text":   {path: validateGraphs, object: "spec: {services: [S]}", want: "cannot unmarshal", code: http.StatusBadRequest},
		"a claimed namespace":    {path: validateGraphs, object: "metadata: {namespace: claimed}"},
		"a scope not known":      {path: validateGraphs, object: "metadata: {namespace: broken}", want: "no Lease", code: http.StatusInternalServerError},
		"a deleted graph":        {path: validateGraphs, old: "spec: {services: {S: {}}}", object: "metadata: {deletionTimestamp: '2026-03-01T12:00:00Z', labels: {a: b}}\nspec: {services: {S: {}}}"},
		"another spec of one":    {path: validateGraphs, old: services, object: "metadata: {deletionTimestamp: '2026-03-01T12:00:00Z'}\nspec: {services: {S: {}}}", want: "spec: Forbidden: the object is being deleted", code: http.StatusUnprocessableEntity},
		"another engine":         {path: validateGraphs, old: "spec: {backendFramework: vllm, services: {S: {extraPodSpec: {mainContainer: {image: x}}}}}", object: "spec: {backendFramework: sglang, services: {S: {extraPodSpec: {mainContainer: {image: x}}}}}", want: "spec.backendFramework: Forbidden", code: http.StatusUnprocessableEntity},
		"scaled by the operator": {path: validateGraphs, user: operator, old: adapted, object: scaled},
		"scaled by the planner":  {path: validateGraphs, user: planner, old: adapted, object: scaled},
		"scaled by a person":     {path: validateGraphs, user: "kubernetes-admin", old: adapted, object: scaled, want: "spec.services[S].replicas: Forbidden", code: http.StatusUnprocessableEntity},
		"scaled by nobody":       {path: validateGraphs, old: adapted, object: scaled, want: "Forbidden", code: http.StatusUnprocessableEntity},
		"a planner of elsewhere": {path: validateGraphs, user: "system:serviceaccount:team-b:planner-serviceaccount", old: adapted, object: scaled, want: "Forbidden", code: http.StatusUnprocessableEntity},
		"a planner by suffix":    {path: validateGraphs, user: "system:serviceaccount:team-a:x-planner-serviceaccount", old: adapted, object: scaled, want: "Forbidden", code: http.StatusUnprocessableEntity},
		"an operator by suffix":  {path: validateGraphs, user: "system:serviceaccount:team-a:x-dynamo-operator-controller-manager", old: adapted, object: scaled, want: "Forbidden", code: http.StatusUnprocessableEntity},
		"a good component":       {path: validateComponents, object: "spec: {extraPodSpec: {mainContainer: {image: x}}}"},
		"a bad component":        {path: validateComponents, object: "spec: {replicas: -1}", want: "spec.replicas: Invalid value: -1", code: http.StatusUnprocessableEntity},
		"its engine":             {path: validateComponents, old: "spec: {backendFramework: vllm, extraPodSpec: {mainContainer: {image: x}}}", object: "spec: {backendFramework: trtllm, extraPodSpec: {mainContainer: {image: x}}}", want: "spec.backendFramework: Forbidden", code: http.StatusUnprocessableEntity},
		"a good model":           {path: validateModels, object: "spec: {modelName: a, baseModelName: b}"},
		"a bad model":            {path: validateModels, object: "spec: {modelName: a, baseModelName: b, modelType: lora}", want: "spec.source: Required value", code: http.StatusUnprocessableEntity},
		"its base":               {path: validateModels, old: "spec: {modelName: a, baseModelName: b}", object: "spec: {modelName: a, baseModelName: c}", want: "spec.baseModelName: Forbidden", code: http.StatusUnprocessableEntity},
		"a good adapter":         {path: validateAdapters, object: "spec: {replicas: 2, dgdRef: {name: chat, serviceName: Worker}}"},
		"a bad adapter":          {path: validateAdapters, object: "spec: {replicas: 2, dgdRef: {name: chat}}", want: "spec.dgdRef.serviceName: Required value", code: http.StatusUnprocessableEntity},
		"a good request":         {path: validateRequests, object: "spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: {a: b}}}"},
		"a bad request":          {path: validateRequests, object: "spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x}}", want: "spec.profilingConfig.config: Required value", code: http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			response := ask(t, test.path, test.user, test.old, test.object)
			if response.Allowed != (test.want == "") {
				t.Fatalf("allowed: %t, %+v", response.Allowed, response.Result)
			}
			if test.want != "" && (response.Result.Code != test.code || !strings.Contains(response.Result.Message, test.want)) {
				t.Errorf("got %d %s, want %d with %q", response.Result.Code, response.Result.Message, test.code, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	response := ask(t, validateGraphs, "", "", "spec: {services: {S: {dynamoNamespace: old, multinode: {nodeCount: 2}, extraPodSpec: {mainContainer: {image: x}}}, P: {componentType: planner, extraPodSpec: {mainContainer: {image: x}}}}}")
	all := strings.Join(response.Warnings, "\n")
	for _, want := range []string{"spec.services[S].dynamoNamespace is ignored", "the graph will not be deployed", "multinode.nodeCount is above 1", "service P is a planner, which connects to NATS"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning with %q in %q", want, all)
		}
	}
	if !response.Allowed {
		t.Error("what the cluster lacks is no reason to refuse a graph")
	}
}

func TestCheckpointsAreLookedAt(t *testing.T) {
	checkpoint := func(model, pod string) string {
		return "spec: {identity: {model: " + model + ", backendFramework: vllm}, job: {podTemplateSpec: {spec: {" + pod + "containers: [{name: main, image: x}]}}}}"
	}
	good := checkpoint("m", "")
	response := ask(t, validateCheckpoints, "", "", good)
	if !response.Allowed || len(response.Warnings) != 1 || !strings.HasPrefix(response.Warnings[0], "this operator takes no checkpoints") {
		t.Errorf("allowed %t, warnings %q", response.Allowed, response.Warnings)
	}
	for name, tc := range map[string]struct{ old, object, want string }{
		"nothing":          {"", "spec: {}", "spec.identity.model: Required value"},
		"another identity": {good, checkpoint("other", ""), "spec.identity: Forbidden"},
		"an account":       {"", checkpoint("m", "serviceAccountName: dgdr-profiling-job, "), "is for profiling Jobs"},
	} {
		if response := ask(t, validateCheckpoints, "", tc.old, tc.object); response.Allowed || !strings.Contains(response.Result.Message, tc.want) {
			t.Errorf("%s: allowed %t: %+v, want %q", name, response.Allowed, response.Result, tc.want)
		}
	}
	if response := ask(t, validateCheckpoints, "", good, checkpoint("m", "nodeName: a, ")); !response.Allowed {
		t.Errorf("the Job may not be corrected: %+v", response.Result)
	}
}

// TestARequestStaysAsItWasStarted: before, it may be corrected; afterwards, it is
// only metadata that changes.
func TestARequestStaysAsItWasStarted(t *testing.T) {
	request := func(image, status string) string {
		return "spec: {model: m, backend: vllm, profilingConfig: {profilerImage: " + image + ", config: {a: b}}}\nstatus: {" + status + "}"
	}
	const (
		wrong    = "conditions: [{type: Validation, status: 'False', reason: ValidationFailed}]"
		noJob    = "conditions: [{type: Profiling, status: 'False', reason: JobCreationFailed}]"
		runs     = "conditions: [{type: Profiling, status: 'False', reason: ProfilingRunning}]"
		profiled = "conditions: [{type: Profiling, status: 'True', reason: ProfilingCompleted}]"
	)
	for status, allowed := range map[string]bool{"": true, wrong: true, noJob: true, runs: false, profiled: false} {
		if response := ask(t, validateRequests, "dana", request("x", status), request("z", status)); response.Allowed != allowed {
			t.Errorf("%s: allowed %t: %+v", status, response.Allowed, response.Result)
		}
		if response := ask(t, validateRequests, "dana", request("x", status), "metadata: {labels: {a: b}}\n"+request("x", status)); !response.Allowed {
			t.Errorf("%s: a label is refused: %+v", status, response.Result)
		}
	}
}

func TestAComponentBelongsToNoGraphByItsLabels(t *testing.T) {
	const forged = "metadata: {labels: {nvidia.com/dynamo-graph-deployment-name: victim}}\nspec: {extraPodSpec: {mainContainer: {image: x}}}"
	if response := ask(t, validateComponents, "dana", "", forged); response.Allowed || !strings.Contains(response.Result.Message, "metadata.labels[nvidia.com/dynamo-graph-deployment-name]: Forbidden") {
		t.Errorf("allowed %t: %+v", response.Allowed, response.Result)
	}
	if response := ask(t, validateComponents, operator, "", forged); !response.Allowed {
		t.Errorf("the operator is refused: %+v", response.Result)
	}
}

func TestVersionMark(t *testing.T) {
	for name, test := range map[string]struct{ graph, want string }{
		"no annotations":      {services, `[{"op":"add","path":"/metadata/annotations","value":{"nvidia.com/dynamo-operator-origin-version":"1.2.3"}}]`},
		"others":              {"metadata: {annotations: {a: b}}\n" + services, `[{"op":"add","path":"/metadata/annotations/nvidia.com~1dynamo-operator-origin-version","value":"1.2.3"}]`},
		"marked already":      {"metadata: {annotations: {nvidia.com/dynamo-operator-origin-version: 0.9.0}}\n" + services, `null`},
		"a claimed namespace": {"metadata: {namespace: claimed}\n" + services, `null`},
		// What a typed object would write in another way stays as it is.
		"the user's own way": {"metadata: {annotations: {a: b}}\nspec: {services: {S: {resources: {limits: {cpu: 1000m}}, unknown: 1.50, nothing: null}}}",
			`[{"op":"add","path":"/metadata/annotations/nvidia.com~1dynamo-operator-origin-version","value":"1.2.3"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			document := "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\n" + test.graph
			response := ask(t, MutateGraphs, "", "", document)
			got, err := json.Marshal(response.Patches)
			if err != nil || !response.Allowed || string(got) != test.want {
				t.Errorf("allowed %t, patch %s (%v), want %s", response.Allowed, got, err, test.want)
			}
		})
	}
}

func TestAnswersAreCounted(t *testing.T) {
	count := func(name string, labels ...string) (n float64) {
		families, err := metrics.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				var values []string
				for _, label := range metric.GetLabel() {
					values = append(values, label.GetValue())
				}
				if family.GetName() == name && slices.Equal(values, labels) {
					n += metric.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	const requests, denials = "dynamo_operator_webhook_requests_total", "dynamo_operator_webhook_denials_total"
	allowed, denied := count(requests, "CREATE", "DynamoModel", "allowed"), count(denials, "CREATE", "validation", "DynamoModel")
	ask(t, validateModels, "", "", "spec: {modelName: a, baseModelName: b}")
	ask(t, validateModels, "", "", "spec: {modelName: a, baseModelName: b, modelType: lora}")
	if got := count(requests, "CREATE", "DynamoModel", "allowed") - allowed; got != 1 {
		t.Errorf("%v more requests were allowed, want 1", got)
	}
	if got := count(denials, "CREATE", "validation", "DynamoModel") - denied; got != 1 {
		t.Errorf("%v more requests were refused, want 1", got)
	}
}

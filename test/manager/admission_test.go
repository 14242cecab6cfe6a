package manager

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// What admission adds that came after the install is no drift: nobody has changed
// the objects, and nothing restarts. What somebody did change still is.
func TestAdmissionThatArrivesLaterIsNoDrift(t *testing.T) {
	c := cluster.Start(t)
	fleet := writeFleet(t, "metadata: {name: late}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: late}]}\n")
	life := operation{t: t, c: c}
	life.does("apply", "-f", fleet, "--no-wait", "--yes")

	fields, objects := []string{"metadata.annotations.checked"}, "1 object"
	if life.serves(mutatingPolicies, "mutatingadmissionpolicies") { // from Kubernetes 1.36 on
		life.policies()
		fields = append(fields, "metadata.labels.cost-center", "spec.template.spec.containers[0].imagePullPolicy", "spec.template.spec.initContainers")
		objects = "2 objects"
	} else if os.Getenv("DRYDOCK_KUBERNETES") == "" {
		t.Error("nothing but a webhook was tried: there are no MutatingAdmissionPolicies")
	}
	life.webhook()
	limits := object(t, `{apiVersion: v1, kind: LimitRange, metadata: {name: small}, spec: {limits: [{type: Container, default: {cpu: "1"}}]}}`)
	if _, err := life.resource("v1", "limitranges").Namespace("late").Create(t.Context(), &unstructured.Unstructured{Object: limits}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	life.until(func() bool {
		out := life.says(0, "plan", "--drift", "-f", fleet, "-o", "json")
		return !slices.ContainsFunc(fields, func(field string) bool { return !strings.Contains(out, field) })
	})
	if out := oneLine(life.says(0, "plan", "--drift", "-f", fleet)); !strings.Contains(out, "would change "+objects+" on a write") || !strings.Contains(out, "No changes") {
		t.Errorf("plan does not tell what admission would do:\n%s", out)
	}
	before := writes(t, c)
	life.does("apply", "--drift", "-f", fleet, "--no-wait", "--yes")
	if after := writes(t, c); after != before {
		t.Errorf("an apply of what is as it should be wrote %d times", after-before)
	}

	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	name := "dynamo-platform-dynamo-operator-controller-manager"
	patch := `[{"op": "replace", "path": "/spec/replicas", "value": 0}]`
	if _, err := kube.AppsV1().Deployments("late").Patch(t.Context(), name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if out := life.says(1, "plan", "--drift", "-f", fleet); !strings.Contains(out, "conflict Deployment/late/"+name) {
		t.Errorf("what somebody scaled is no drift any more:\n%s", out)
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// mutatingPolicies is the API of admission that needs no webhook.
const mutatingPolicies = "admissionregistration.k8s.io/v1"

func (v operation) serves(apiVersion, resource string) bool {
	v.t.Helper()
	resources, err := discovery.NewDiscoveryClientForConfigOrDie(v.c.Config).ServerResourcesForGroupVersion(apiVersion)
	if err != nil {
		v.t.Fatal(err)
	}
	return slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == resource })
}

// policies stamp Deployments, have images pulled always and add a sidecar.
func (v operation) policies() {
	v.t.Helper()
	v.policy("stamp", "apps", "deployments", `Object{metadata: Object.metadata{labels: {"cost-center": "ml"}}}`)
	v.patchPolicy("pull", `[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/imagePullPolicy", value: "Always"}]`)
	v.patchPolicy("sidecar", `[JSONPatch{op: "add", path: "/spec/template/spec/initContainers", value: [{"name": "proxy", "image": "proxy"}]}]`)
}

func (v operation) policy(name, group, resource, expression string) {
	v.t.Helper()
	v.mutate(name, group, resource, map[string]any{"patchType": "ApplyConfiguration", "applyConfiguration": map[string]any{"expression": expression}})
}

func (v operation) patchPolicy(name, expression string) {
	v.t.Helper()
	v.mutate(name, "apps", "deployments", map[string]any{"patchType": "JSONPatch", "jsonPatch": map[string]any{"expression": expression}})
}

func (v operation) mutate(name, group, resource string, mutation map[string]any) {
	v.t.Helper()
	const api = mutatingPolicies
	v.create(api, "mutatingadmissionpolicies", map[string]any{
		"apiVersion": api, "kind": "MutatingAdmissionPolicy", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": []any{mutation},
			"matchConstraints": map[string]any{"resourceRules": []any{map[string]any{
				"apiGroups": []any{group}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE", "UPDATE"}, "resources": []any{resource},
			}}},
		},
	})
	v.create(api, "mutatingadmissionpolicybindings", map[string]any{
		"apiVersion": api, "kind": "MutatingAdmissionPolicyBinding", "metadata": map[string]any{"name": name}, "spec": map[string]any{"policyName": name},
	})
}

// webhook marks ConfigMaps as they are written.
func (v operation) webhook() {
	v.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var asked unstructured.Unstructured
		if err := asked.UnmarshalJSON(review.Request.Object.Raw); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		patch, kind := []byte(`[{"op": "add", "path": "/metadata/annotations/checked", "value": "true"}]`), admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if len(asked.GetAnnotations()) > 0 {
			review.Response.Patch, review.Response.PatchType = patch, &kind
		}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			v.t.Error(err)
		}
	}))
	v.t.Cleanup(server.Close)
	const api = mutatingPolicies
	v.create(api, "mutatingwebhookconfigurations", map[string]any{
		"apiVersion": api, "kind": "MutatingWebhookConfiguration", "metadata": map[string]any{"name": "marks"},
		"webhooks": []any{map[string]any{
			"name": "marks.example.com", "sideEffects": "None", "admissionReviewVersions": []any{"v1"}, "failurePolicy": "Fail",
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "late"}},
			"clientConfig":      map[string]any{"url": server.URL, "caBundle": base64.StdEncoding.EncodeToString(pemOf(server.TLS))},
			"rules": []any{map[string]any{
				"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE", "UPDATE"}, "resources": []any{"configmaps"},
			}},
		}},
	})
}

func pemOf(config *tls.Config) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: config.Certificates[0].Certificate[0]})
}

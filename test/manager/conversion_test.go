package manager

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Objects are judged as a conversion webhook shows them: here it calls spec.a of
// v1, in which they are stored, spec.b in v2.
func TestObjectsAreJudgedAsAWebhookConvertsThem(t *testing.T) {
	c := cluster.Start(t)
	hook := httptest.NewTLSServer(http.HandlerFunc(convert))
	defer hook.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})
	converted := fmt.Sprintf("{strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: %q, caBundle: %s}}}",
		hook.URL, base64.StdEncoding.EncodeToString(authority))

	fleet := converting(t, converted, "a: {type: string}, b: {type: string}")
	if out, err := wheelhouse(t, c, "apply", "-f", fleet); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	createChat(t, c)
	plan := func(wanted, fields string) string {
		t.Helper()
		out, err := wheelhouse(t, c, "plan", "-f", converting(t, wanted, fields))
		if err == nil {
			t.Errorf("nothing would change:\n%s", out)
		}
		return out
	}
	for _, test := range []struct {
		name, conversion, fields, says string
	}{
		{"the webhook goes", "{strategy: None}", "a: {type: string}, b: {type: string}", "default/chat: spec.a would read differently in v2 without the conversion webhook"},
		{"the field goes that the webhook fills", converted, "a: {type: string}", "default/chat: spec.b would be dropped"},
	} {
		if out := plan(test.conversion, test.fields); !strings.Contains(out, test.says) {
			t.Errorf("%s: %q is missing from\n%s", test.name, test.says, out)
		}
	}
	if out := plan(converted, "b: {type: string}"); strings.Contains(out, "default/chat") {
		t.Errorf("the field goes that only v1 fills:\n%s", out)
	}
}

// convert is the webhook.
func convert(w http.ResponseWriter, r *http.Request) {
	var review apiextensionsv1.ConversionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := &apiextensionsv1.ConversionResponse{UID: review.Request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for _, raw := range review.Request.Objects {
		text := strings.Replace(string(raw.Raw), `"spec":{"a"`, `"spec":{"b"`, 1)
		if strings.HasSuffix(review.Request.DesiredAPIVersion, "/v1") {
			text = strings.Replace(string(raw.Raw), `"spec":{"b"`, `"spec":{"a"`, 1)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		object["apiVersion"] = review.Request.DesiredAPIVersion
		data, err := json.Marshal(object)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response.ConvertedObjects = append(response.ConvertedObjects, runtime.RawExtension{Raw: data})
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// converting is a fleet whose CRD has two versions; fields are those of v2.
func converting(t *testing.T, conversion, fields string) string {
	t.Helper()
	version := "{name: %s, served: true, storage: %t, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {%s}}}}}}"
	crd := fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: chats.convert.example.com}
spec:
  group: convert.example.com
  scope: Namespaced
  names: {kind: Chat, plural: chats, singular: chat}
  conversion: %s
  versions:
    - %s
    - %s
`, conversion, fmt.Sprintf(version, "v1", true, "a: {type: string}, b: {type: string}"), fmt.Sprintf(version, "v2", false, fields))
	return fleetWith(t, "convert", "crds/templates/chats.yaml", crd)
}

func createChat(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	chat := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "convert.example.com/v1", "kind": "Chat", "metadata": map[string]any{"name": "chat"}, "spec": map[string]any{"a": "x"},
	}}
	chats := client.Resource(schema.GroupVersionResource{Group: "convert.example.com", Version: "v1", Resource: "chats"}).Namespace("default")
	if _, err := chats.Create(t.Context(), chat, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

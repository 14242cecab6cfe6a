package manager

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// An apply is done when the API server reaches the release's webhooks: what its
// user does next must not be refused because nobody answers yet.
func TestAnApplyWaitsUntilItsWebhooksAnswer(t *testing.T) {
	c := cluster.Start(t)
	var asked atomic.Int32
	hook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: false}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	address := hook.Listener.Addr().String()
	if err := hook.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	fleet := hooked(t, address)
	out, err := wheelhouse(t, c, "apply", "-f", fleet, "--timeout", "1s")
	for _, want := range []string{"ValidatingWebhookConfiguration/late does not answer", `failed calling webhook "late.example.com"`, "connection refused"} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("nobody answers, and %q is missing: %v\n%s", want, err, out)
		}
	}

	started := make(chan error, 1)
	time.AfterFunc(2*time.Second, func() {
		var config net.ListenConfig
		listener, err := config.Listen(t.Context(), "tcp", address)
		if err == nil {
			hook.Listener = listener
			hook.StartTLS()
		}
		started <- err
	})
	out, err = wheelhouse(t, c, "apply", "-f", fleet)
	if startErr := <-started; startErr != nil {
		t.Fatal(startErr)
	}
	defer hook.Close()
	if err != nil || asked.Load() == 0 {
		t.Errorf("the webhook was asked %d times: %v\n%s", asked.Load(), err, out)
	}
}

// hooked is a fleet with a webhook that refuses each creation of a Thing.
func hooked(t *testing.T, address string) string {
	t.Helper()
	other := httptest.NewTLSServer(nil)
	defer other.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})
	configuration := fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: late}
webhooks:
  - name: late.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {url: "https://%s", caBundle: %s}
    rules: [{apiGroups: [late.example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]
`, address, base64.StdEncoding.EncodeToString(authority))
	return fleetWith(t, "late", "platform/templates/late.yaml", configuration)
}

// fleetWith is a fleet of the test's charts with one more template. Its kinds
// are in the group NAME.example.com, as are those that a template may add.
func fleetWith(t *testing.T, name, file, template string) string {
	t.Helper()
	charts := t.TempDir()
	if err := os.CopyFS(charts, os.DirFS("testdata/charts")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(charts, file), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	return writeFleet(t, fmt.Sprintf(`metadata: {name: %[1]s}
spec:
  charts: {crds: %[2]s/crds, platform: %[2]s/platform}
  values: [{crds: {group: %[1]s.example.com}, platform: {group: %[1]s.example.com}}]
  platforms: [{namespace: %[1]s-a}]
`, name, charts))
}

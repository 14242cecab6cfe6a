package manager

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webhookChart trusts for its webhook what it is given. The webhook matches
// nothing that exists.
var webhookChart = map[string]string{
	"Chart.yaml":  "apiVersion: v2\nname: test-platform\nversion: 1.0.0\n",
	"values.yaml": "ca: ''\ntext: a\nid: ''\n",
	"templates/objects.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data: {text: {{ .Values.text | quote }}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: {{ .Values.id }}}
webhooks:
  - name: x.status.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    clientConfig: {service: {name: none, namespace: {{ .Release.Namespace }}}{{ with .Values.ca }}, caBundle: {{ . }}{{ end }}}
    rules: [{apiGroups: [status.example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
`,
}

func statusFleet(t *testing.T, id string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range webhookChart {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	crds, err := filepath.Abs("testdata/charts/crds")
	if err != nil {
		t.Fatal(err)
	}
	return writeFleet(t, fmt.Sprintf(`metadata: {name: %[1]s}
spec:
  charts: {crds: %[2]s, platform: %[3]s}
  crds: {namespace: %[1]s-crds}
  values: [{crds: {group: %[1]s.example.com}, platform: {id: %[1]s}}]
  platforms: [{namespace: %[1]s-a}]
`, id, crds, dir))
}

// authority makes the public half of an authority, as a webhook configuration
// has it.
func authority(t *testing.T, begins, ends time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(begins), NotAfter: time.Now().Add(ends), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// How long webhooks are trusted is read from what the API server trusts.
func TestStatusTellsWhenCertificatesEnd(t *testing.T) {
	const day = 24 * time.Hour
	fleet := statusFleet(t, "certs")
	for _, test := range []struct {
		name, ca, column, note string
		healthy                bool
	}{
		{"good", authority(t, -day, 364*day+time.Hour), "364d", "", true},
		{"late", authority(t, -350*day, 12*day+time.Hour), "12d", "certs-a/dynamo-platform: the certificate of ValidatingWebhookConfiguration/certs ends in 12 days", true},
		{"two, of which one is good", bundle(t, authority(t, -day, time.Hour), authority(t, -day, 300*day+time.Hour)), "300d", "", true},
		{"over", authority(t, -9*day, -day), "expired", "the certificate of ValidatingWebhookConfiguration/certs expired at", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := "platform.ca=" + test.ca
			if out, err := wheelhouse(t, shared, "apply", "-f", fleet, "--set", set, "--yes"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := wheelhouse(t, shared, "status", "-o", "wide", "-f", fleet, "--set", set)
			if (err == nil) != test.healthy {
				t.Errorf("status: %v\n%s", err, out)
			}
			if !strings.Contains(out, " CERTIFICATE") || !strings.Contains(out, " "+test.column) || !strings.Contains(out, test.note) || test.note == "" && strings.Contains(out, "the certificate of") {
				t.Errorf("%s and %q are missing from:\n%s", test.column, test.note, out)
			}
		})
	}
}

// bundle puts authorities behind one another.
func bundle(t *testing.T, parts ...string) string {
	t.Helper()
	var all []byte
	for _, part := range parts {
		text, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return base64.StdEncoding.EncodeToString(all)
}

// status -w tells each change as it happens, and ends on request with how the
// fleet was then.
func TestStatusFollows(t *testing.T) {
	fleet := statusFleet(t, "follow")
	command := exec.CommandContext(t.Context(), filepath.Join(tools, "wheelhouse"), "status", "-w", "-f", fleet)
	command.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	await := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("no line with %q", want)
	}
	await("release follow-a/dynamo-platform: missing")
	if out, err := wheelhouse(t, shared, "apply", "-f", fleet); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	await("release follow-a/dynamo-platform: deployed, revision 1, ready")
	if out, err := wheelhouse(t, shared, "apply", "-f", fleet, "--set", "platform.text=b"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	await("release follow-a/dynamo-platform: deployed, revision 2, ready, differs: values changed")
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != 1 {
		t.Errorf("a fleet with drift ended the watch with %v", err)
	}
}

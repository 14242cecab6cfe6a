package manager

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Helm keeps a release in one Secret. That it will not fit is known before
// anything is written, and that it soon will not is said in time.
func TestTheSizeOfARecordIsForecast(t *testing.T) {
	charts := t.TempDir()
	if err := os.CopyFS(charts, os.DirFS("testdata/charts")); err != nil {
		t.Fatal(err)
	}
	fleet := writeFleet(t, fmt.Sprintf(`metadata: {name: size}
spec:
  charts: {crds: %s/crds, platform: %s/platform}
  crds: {namespace: size-crds}
  history: 2
  values: [{crds: {group: size.example.com}, platform: {group: size.example.com}}]
  platforms: [{namespace: size-a}]
`, charts, charts))
	grow(t, charts, 300<<10)
	out, err := wheelhouse(t, shared, "apply", "-f", fleet)
	if err != nil || !strings.Contains(out, "warning: release size-a/dynamo-platform: its record takes") || !strings.Contains(out, "most of it for templates/big.yaml") {
		t.Errorf("no warning near the limit: %v\n%s", err, out)
	}
	grow(t, charts, 420<<10)
	out, err = wheelhouse(t, shared, "apply", "-f", fleet)
	if err == nil || !strings.Contains(out, "nothing was written:") || !strings.Contains(out, "most of it for templates/big.yaml") {
		t.Errorf("a record beyond the limit was not refused: %v\n%s", err, out)
	}
	// Revisions beyond the fleet's limit are forgotten.
	if err := os.Remove(filepath.Join(charts, "platform", "templates", "big.yaml")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		if out, err := wheelhouse(t, shared, "apply", "-f", fleet, "--yes", "--set", "platform.text="+text); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	kube, err := kubernetes.NewForConfig(shared.Config)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := kube.CoreV1().Secrets("size-a").List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Items) != 2 {
		t.Errorf("%d revisions are kept, want 2", len(kept.Items))
	}
}

// grow gives the platform chart a template that does not compress.
func grow(t *testing.T, charts string, size int) {
	t.Helper()
	random := make([]byte, size)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {big: \"" + base64.StdEncoding.EncodeToString(random) + "\"}\n"
	if err := os.WriteFile(filepath.Join(charts, "platform", "templates", "big.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

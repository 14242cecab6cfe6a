package manager

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// A version ends in which objects are stored: with consent they are written once
// more first, and nothing of them is lost.
func TestObjectsLeaveAVersionThatEnds(t *testing.T) {
	s := newStored(t, "moves", 3)
	plan := s.says(2, "plan", "-f", s.fleet("v1 storage served"))
	for _, want := range []string{
		"rewrite storage " + s.crd, "objects may be stored in v1beta1, which ends: 3 to write once more, so that all are stored in v1",
		"update CustomResourceDefinition/" + s.crd, "fleet.yaml --migrate-storage " + s.crd,
	} {
		if !strings.Contains(oneLine(plan), want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if out := s.says(2, "plan", "-f", s.fleet("v1 storage served"), "-o", "diff"); !strings.Contains(out, "name: v1beta1") {
		t.Errorf("the diff does not show that the version goes:\n%s", out)
	}
	out := s.says(1, "apply", "-f", s.fleet("v1 storage served"), "--no-wait")
	if want := "3 objects of " + s.crd + " are written once more, so that versions of it may end, and there is no terminal to ask on, confirm with --migrate-storage " + s.crd; !strings.Contains(oneLine(out), want) {
		t.Errorf("it does not name the consent:\n%s", out)
	}
	s.storedIn("v1beta1", "v1")
	out = s.does("apply", "-f", s.fleet("v1 storage served"), "--no-wait", "--migrate-storage", s.crd)
	if want := "storage " + s.crd + ": 3 objects written once more, all are stored in v1"; !strings.Contains(oneLine(out), want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	s.storedIn("v1")
	s.allThere("v1", 3)
	s.does("plan", "-f", s.fleet("v1 storage served"), "--drift")
	if out := s.does("history", "-f", s.fleet("v1 storage served"), "-o", "json"); !strings.Contains(out, s.crd) {
		t.Errorf("the journal does not have it:\n%s", out)
	}
}

// The only version gives way to another: the API server stores the new one first. That
// programs which use the old one fail is another consent.
func TestTheOnlyVersionGivesWayToAnother(t *testing.T) {
	s := newStored(t, "only", 3)
	last := s.fleet("v2 storage served")
	s.does("apply", "-f", s.fleet("v1 storage served"), "--no-wait", "--migrate-storage", s.crd)
	out := s.says(1, "apply", "-f", last, "--no-wait", "--migrate-storage", s.crd)
	if want := "version v1 is removed: programs and files that use it fail"; !strings.Contains(oneLine(out), want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	s.storedIn("v1")
	s.does("apply", "-f", last, "--no-wait", "--accept-crd-breakage", "--migrate-storage", s.crd)
	s.storedIn("v2")
	s.allThere("v2", 3)
	s.does("plan", "-f", last, "--drift")
}

// An object that somebody's webhook refuses is named, and the version goes on.
func TestAnObjectThatAWebhookRefusesIsNamed(t *testing.T) {
	s := newStored(t, "refusal", 3)
	lift := s.refuse("thing-1")
	last := s.fleet("v1 storage served")
	s.until(func() bool {
		_, err := s.things("v1").Patch(t.Context(), "thing-1", "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{})
		return err != nil
	})
	out := oneLine(s.says(1, "apply", "-f", last, "--no-wait", "--migrate-storage", s.crd))
	for _, want := range []string{
		"1 object of " + s.crd + " cannot be written without a change, so v1beta1 still counts as stored:", s.name + "/thing-1: ", `"refuses.example.com" denied the request: it is sacred`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	s.storedIn("v1beta1", "v1")
	lift()
	s.does("apply", "-f", last, "--no-wait", "--migrate-storage", s.crd)
	s.storedIn("v1")
	s.allThere("v1", 3)
}

// A run that is killed between the first object and the last is finished by the same
// command.
func TestAKilledMoveIsFinished(t *testing.T) {
	const many = 700
	s := newStored(t, "killed", many)
	last := s.fleet("v1 storage served")
	run := exec.CommandContext(t.Context(), filepath.Join(tools, "wheelhouse"), "apply", "-f", last, "--no-wait", "--migrate-storage", s.crd)
	run.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	said, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	begun := false
	byKubernetes := false
	for lines := bufio.NewScanner(said); lines.Scan(); {
		byKubernetes = byKubernetes || strings.Contains(lines.Text(), "migrated by Kubernetes")
		if !begun && (byKubernetes || strings.Contains(lines.Text(), fmt.Sprintf("of %d objects written", many))) {
			begun = true
			if err := run.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := run.Wait(); err == nil || !begun {
		t.Fatalf("it was not killed in between (begun: %v): %v", begun, err)
	}
	if !byKubernetes { // which goes on by itself
		s.storedIn("v1beta1", "v1")
	}
	s.does("apply", "-f", last, "--no-wait", "--migrate-storage", s.crd)
	s.storedIn("v1")
	s.allThere("v1", many)
	if list, err := s.resource("storagemigration.k8s.io/v1", "storageversionmigrations").List(t.Context(), metav1.ListOptions{}); err == nil && len(list.Items) > 0 {
		t.Errorf("%d migrations are left", len(list.Items))
	}
}

// Many objects are written by Kubernetes itself where it can, and else page by page.
func TestManyObjectsLeaveAVersion(t *testing.T) {
	s := newStored(t, "many", 300)
	out := oneLine(s.does("apply", "-f", s.fleet("v1 storage served"), "--no-wait", "--migrate-storage", s.crd))
	want := "storage " + s.crd + ": 300 objects written once more, all are stored in v1"
	if _, err := s.resource("storagemigration.k8s.io/v1", "storageversionmigrations").List(t.Context(), metav1.ListOptions{}); err == nil {
		want = "storage " + s.crd + ": 300 objects migrated by Kubernetes, all are stored in v1"
	}
	if !strings.Contains(out, want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	s.storedIn("v1")
	s.allThere("v1", 300)
}

// stored is a fleet whose objects are stored in v1beta1, while v1 is stored by now.
type stored struct {
	operation
	name, crd string
}

func newStored(t *testing.T, name string, objects int) *stored {
	t.Helper()
	t.Parallel()
	s := &stored{operation: operation{t: t, c: shared}, name: name, crd: "things." + name + ".example.com"}
	s.does("apply", "-f", s.fleet("v1beta1 storage served", "v1 served"), "--no-wait")
	var group errgroup.Group
	group.SetLimit(8)
	for i := range objects {
		group.Go(func() error {
			_, err := s.things("v1").Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": s.name + ".example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": fmt.Sprintf("thing-%d", i)}, "spec": map[string]any{"size": int64(i)},
			}}, metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s.does("apply", "-f", s.fleet("v1beta1", "v1 storage served"), "--no-wait", "--accept-crd-breakage")
	s.storedIn("v1beta1", "v1")
	return s
}

// fleet writes a fleet whose CRDs have these versions.
func (s *stored) fleet(versions ...string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	crd := `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ` + s.crd + `, annotations: {helm.sh/resource-policy: keep}}
spec:
  group: ` + s.name + `.example.com
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
`
	for _, v := range versions {
		name, how, _ := strings.Cut(v, " ")
		crd += fmt.Sprintf("    - {name: %s, served: %v, storage: %v, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}\n",
			name, strings.Contains(how, "served"), strings.Contains(how, "storage"))
	}
	for file, content := range map[string]string{
		"crds/Chart.yaml": "apiVersion: v2\nname: test-crds\nversion: 1.0.0\n", "crds/values.yaml": "group: \"\"\n", "crds/templates/things.yaml": crd,
		"platform/Chart.yaml":          "apiVersion: v2\nname: test-platform\nversion: 1.0.0\n",
		"platform/values.yaml":         "global: {}\ndynamo-operator: {namespaceRestriction: {enabled: false}}\n",
		"platform/templates/text.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {scope: restricted}\n",
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return writeFleet(s.t, fmt.Sprintf("metadata: {name: %s}\nspec:\n  charts: {crds: %s/crds, platform: %[2]s/platform}\n  crds: {namespace: %[1]s-crds}\n  platforms: [{namespace: %[1]s}]\n", s.name, dir))
}

func (s *stored) things(version string) dynamic.ResourceInterface {
	return s.resource(s.name+".example.com/"+version, "things").Namespace(s.name)
}

func (s *stored) storedIn(want ...string) {
	s.t.Helper()
	live, err := s.resource("apiextensions.k8s.io/v1", "customresourcedefinitions").Get(s.t.Context(), s.crd, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedStringSlice(live.Object, "status", "storedVersions"); strings.Join(got, " ") != strings.Join(want, " ") {
		s.t.Fatalf("objects count as stored in %v, want %v", got, want)
	}
}

// allThere reads the objects from where they are stored, with what is in them.
func (s *stored) allThere(version string, want int) {
	s.t.Helper()
	list, err := s.things(version).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	sizes := map[int64]bool{}
	for _, item := range list.Items {
		size, _, _ := unstructured.NestedInt64(item.Object, "spec", "size")
		sizes[size] = true
	}
	if len(list.Items) != want || len(sizes) != want {
		s.t.Errorf("%d objects with %d contents are there, want %d", len(list.Items), len(sizes), want)
	}
}

// refuse has a webhook refuse every write of an object, until it is lifted.
func (s *stored) refuse(name string) (lift func()) {
	s.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: review.Request.Name != name, Result: &metav1.Status{Message: "it is sacred"}}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			s.t.Error(err)
		}
	}))
	s.t.Cleanup(server.Close)
	const api, kind = "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"
	s.create(api, kind, map[string]any{
		"apiVersion": api, "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": s.name},
		"webhooks": []any{map[string]any{
			"name": "refuses.example.com", "sideEffects": "None", "admissionReviewVersions": []any{"v1"}, "failurePolicy": "Fail",
			"clientConfig": map[string]any{"url": server.URL, "caBundle": base64.StdEncoding.EncodeToString(pemOf(server.TLS))},
			"rules": []any{map[string]any{
				"apiGroups": []any{s.name + ".example.com"}, "apiVersions": []any{"*"}, "operations": []any{"UPDATE"}, "resources": []any{"things"},
			}},
		}},
	})
	return func() {
		if err := s.resource(api, kind).Delete(s.t.Context(), s.name, metav1.DeleteOptions{}); err != nil {
			s.t.Fatal(err)
		}
		s.until(func() bool {
			_, err := s.things("v1").Patch(s.t.Context(), name, "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"a":"c"}}}`), metav1.PatchOptions{})
			return err == nil
		})
	}
}

package apply

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

const (
	deploymentOf3 = "{kind: Deployment, metadata: {name: d, namespace: a}, spec: {replicas: 3, template: {spec: {containers: [{name: c, image: i}, {name: s, image: j}]}}}}"
	scaled        = `{"f:spec":{"f:replicas":{}}}`
	sidecar       = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"s\"}":{".":{},"f:name":{},"f:image":{}}}}}}}`
)

func writtenBy(u *unstructured.Unstructured, manager string, operation metav1.ManagedFieldsOperationType, fields string) {
	u.SetManagedFields(append(u.GetManagedFields(), metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}))
}

func ref(t *testing.T, text string) fleet.FieldRef {
	t.Helper()
	r, err := fleet.ParseFieldRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFieldsThatAreLeftAreNotWrittenOnceOthersOwnThem(t *testing.T) {
	for _, test := range []struct {
		name, manager, fields, leave, gone string
	}{
		{"others own it", "autoscaler", scaled, "Deployment/a/d:.spec.replicas", "replicas"},
		{"an item of a list", "injector", sidecar, `Deployment/a/d:.spec.template.spec.containers[name="s"].image`, "image: j"},
		{"it is ours", "helm", scaled, "Deployment/a/d:.spec.replicas", ""},
		{"nothing is left", "autoscaler", scaled, "Deployment/a/d:.spec.paused", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			wanted, live := object(t, deploymentOf3), object(t, deploymentOf3)
			writtenBy(live, test.manager, metav1.ManagedFieldsOperationApply, test.fields)
			dropped := leaveFields(wanted, live, []fleet.FieldRef{ref(t, test.leave)})
			shown := readable(wanted)
			if dropped != (test.gone != "") || test.gone != "" && strings.Contains(shown, test.gone) {
				t.Errorf("dropped: %v, and what is written is\n%s", dropped, shown)
			}
			if !strings.Contains(shown, "name: s") {
				t.Errorf("an item has gone with its field:\n%s", shown)
			}
		})
	}
}

func TestAConflictNamesOwnerAndValues(t *testing.T) {
	wanted, live := object(t, deploymentOf3), object(t, strings.ReplaceAll(deploymentOf3, "replicas: 3", "replicas: 5"))
	writtenBy(live, "autoscaler", metav1.ManagedFieldsOperationUpdate, scaled)
	refused := apierrors.NewApplyConflict([]metav1.StatusCause{{
		Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "autoscaler" with subresource "scale" using apps/v1`,
	}}, "conflict")
	want := []rollout.FieldConflict{rollout.FieldConflict{
		Field: ".spec.replicas", Manager: "autoscaler", Subresource: "scale", Wanted: "3", Live: "5",
	}.Advise(false)}
	if got := conflictsOf(refused, wanted, live); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := conflictsOf(apierrors.NewBadRequest("no"), wanted, live); got != nil {
		t.Errorf("another error has conflicts: %+v", got)
	}
}

// A release that changes hands takes along what its former client wrote, so that
// what leaves the chart leaves the objects.
func TestWhoseFieldsBecomeOurs(t *testing.T) {
	released := `{"f:metadata":{"f:annotations":{"f:meta.helm.sh/release-name":{}}}}`
	live := object(t, "{kind: Deployment, metadata: {name: d, namespace: a, annotations: {meta.helm.sh/release-name: p, meta.helm.sh/release-namespace: a}}}")
	writtenBy(live, "another-helm", metav1.ManagedFieldsOperationUpdate, released)
	writtenBy(live, "autoscaler", metav1.ManagedFieldsOperationUpdate, scaled)
	writtenBy(live, "kubectl", metav1.ManagedFieldsOperationUpdate, scaled)
	got := earlierWriters(live)
	for manager, want := range map[string]bool{"helm": true, "another-helm": true, "autoscaler": false, "kubectl": false} {
		if got[manager] != want {
			t.Errorf("%s: %v", manager, got[manager])
		}
	}
	live.SetAnnotations(nil)
	if !earlierWriters(live)["kubectl"] {
		t.Error("an object without a release, made with kubectl, keeps its fields")
	}
}

func TestAMigrationFitsOneVersionOfAnObject(t *testing.T) {
	live := object(t, "{kind: Deployment, metadata: {name: d, namespace: a, resourceVersion: '7'}}")
	writtenBy(live, "kubectl-create", metav1.ManagedFieldsOperationUpdate, scaled)
	patch, err := migrationPatch(live)
	if err != nil || !strings.Contains(string(patch), `"manager":"helm","operation":"Apply"`) || !strings.Contains(string(patch), `"value":"7"`) {
		t.Errorf("%s, %v", patch, err)
	}
	live.SetManagedFields(nil)
	writtenBy(live, "helm", metav1.ManagedFieldsOperationApply, scaled)
	if patch, err := migrationPatch(live); patch != nil || err != nil {
		t.Errorf("nothing is to be moved, and the patch is %s, %v", patch, err)
	}
}

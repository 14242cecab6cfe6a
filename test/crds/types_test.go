package crds

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// TestObjectsRoundTripThroughTheTypes shows that what users write survives the operator's types: no
// field is unknown, and none is lost.
func TestObjectsRoundTripThroughTheTypes(t *testing.T) {
	for name, object := range acceptedObjects(t) {
		t.Run(name, func(t *testing.T) {
			written, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			typed := reflect.New(kinds[object.GetKind()]).Interface()
			if err := yaml.UnmarshalStrict(written, typed); err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(typed)
			if err != nil {
				t.Fatal(err)
			}
			var got any
			if err := json.Unmarshal(encoded, &got); err != nil {
				t.Fatal(err)
			}
			want := object.Object["spec"]
			if diff := cmp.Diff(withoutEmpty(asJSON(t, want)), withoutEmpty(got.(map[string]any)["spec"])); diff != "" {
				t.Errorf("the spec changed on its way (-written +encoded):\n%s", diff)
			}
		})
	}
}

// asJSON gives numbers the one type that they have in JSON.
func asJSON(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// withoutEmpty drops what Go's types cannot tell from absence: null, false, zero, and empty strings,
// lists and objects.
func withoutEmpty(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, child := range value {
			if child = withoutEmpty(child); child != nil {
				kept[key] = child
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		var kept []any
		for _, child := range value {
			kept = append(kept, withoutEmpty(child))
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case bool, float64, string:
		if reflect.ValueOf(value).IsZero() {
			return nil
		}
	}
	return value
}

func TestEndpointPickerConfigIsKeptAsWritten(t *testing.T) {
	written := `{"plugins":[{"type":"a","parameters":{"b":1}}],"unknown":true}`
	var epp v1alpha1.EPPConfig
	if err := json.Unmarshal([]byte(`{"config":`+written+`}`), &epp); err != nil {
		t.Fatal(err)
	}
	if got := string(epp.Config.Raw); got != written {
		t.Errorf("got %s, want %s", got, written)
	}
	encoded, err := json.Marshal(epp.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(encoded), `{"config":`+written+`}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAbsentStaysAbsent guards against null and empty values, which the API server refuses or takes for
// a change.
func TestAbsentStaysAbsent(t *testing.T) {
	for want, value := range map[string]any{
		`{"disabled":true}`: v1alpha1.SharedMemorySpec{Disabled: true},
		`{"name":"a"}`:      v1alpha1.PVC{Name: "a"},
		`{}`:                v1alpha1.ExtraPodSpec{},
		`{"hostNetwork":true,"mainContainer":{"image":"a"}}`: v1alpha1.ExtraPodSpec{
			PodSpec:       &corev1.PodSpec{HostNetwork: true},
			MainContainer: &corev1.Container{Image: "a"},
		},
		`{"containers":[{"name":"a","resources":{}}]}`: &v1alpha1.ExtraPodSpec{
			PodSpec: &corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}},
		},
		`{"mainContainer":{"name":"a","resources":{"claims":[{"name":"b"}]}}}`: v1alpha1.ExtraPodSpec{
			MainContainer: &corev1.Container{Name: "a", Resources: corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "b"}}}},
		},
	} {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(encoded); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNodesAndReplicasHaveDefaults(t *testing.T) {
	var absent *v1alpha1.DynamoComponentDeploymentSharedSpec
	if nodes, replicas := absent.NodeCount(), absent.DesiredReplicas(); nodes != 1 || replicas != 1 {
		t.Errorf("a nil service: got %d nodes and %d replicas, want 1 and 1", nodes, replicas)
	}
	set := &v1alpha1.DynamoComponentDeploymentSharedSpec{
		Replicas:  new(int32(0)),
		Multinode: &v1alpha1.MultinodeSpec{NodeCount: 4},
	}
	if nodes, replicas := set.NodeCount(), set.DesiredReplicas(); nodes != 4 || replicas != 0 {
		t.Errorf("got %d nodes and %d replicas, want 4 and 0", nodes, replicas)
	}
}

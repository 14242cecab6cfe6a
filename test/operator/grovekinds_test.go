package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestGroveTakesWhatIsRendered: every graph that Grove can run, of those that the
// renderer has golden files for and of the folder that SAMPLES names, makes a
// PodCliqueSet that Grove's definition takes as it is, and that its own types read
// without losing anything.
func TestGroveTakesWhatIsRendered(t *testing.T) {
	ns := namespace(t)
	cluster.InstallGrove(t, adminClient(t))
	read := cluster.GroveReader(t)
	folders := []string{filepath.Join("..", "..", "internal", "operator", "render", "testdata")}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	rendered := 0
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, graph := range graphsIn(t, file) {
				graph.SetNamespace(ns)
				dgd := &v1alpha1.DynamoGraphDeployment{}
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(graph.Object, dgd); err != nil {
					t.Fatal(err)
				}
				t.Run(filepath.Base(file), func(t *testing.T) { rendered += count(takenByGrove(t, dgd, read)) })
			}
		}
	}
	if rendered < 3 {
		t.Errorf("only %d graphs could be rendered", rendered)
	}
}

func takenByGrove(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment, read func(string) string) bool {
	t.Helper()
	cluster := render.Capabilities{Grove: true, KAI: true, VirtualServices: true}
	if path, err := render.PathwayOf(dgd, cluster, ""); err != nil || path.Name != render.PathGrove {
		t.Logf("Grove does not run it: %s %v", path.Why, err)
		return false
	}
	cfg := config.Default()
	objects, err := render.Grove(dgd, cfg, cluster, nil, render.Current)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(objects.Set)
	if err != nil {
		t.Fatal(err)
	}
	if err := holds(decoded(t, read(string(data))), decoded(t, string(data))); err != nil {
		t.Errorf("Grove's types: %v", err)
	}
	if err := adminClient(t).Create(context.Background(), objects.Set, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
		t.Errorf("Grove's definition: %v", err)
	}
	return true
}

// TestGrovesTypesAreOurs: what is observed has the names that Grove gives it.
func TestGrovesTypesAreOurs(t *testing.T) {
	read := cluster.GroveReader(t)
	errs := []grove.LastError{{Code: "ERR", Description: "it failed"}}
	for _, object := range []client.Object{
		&grove.PodCliqueSet{Status: grove.PodCliqueSetStatus{ObservedGeneration: ptr.To[int64](3), LastErrors: errs}},
		&grove.PodClique{Spec: grove.ScaledSpec{Replicas: 2}, Status: grove.PodCliqueStatus{
			ObservedGeneration: ptr.To[int64](3), LastErrors: errs, Replicas: 2, ReadyReplicas: 1, UpdatedReplicas: 1,
		}},
		&grove.PodCliqueScalingGroup{Spec: grove.ScaledSpec{Replicas: 2}, Status: grove.ScalingGroupStatus{
			ObservedGeneration: ptr.To[int64](3), LastErrors: errs, Replicas: 2, AvailableReplicas: 1, UpdatedReplicas: 1,
		}},
	} {
		object.GetObjectKind().SetGroupVersionKind(grove.GroupVersion.WithKind(reflect.TypeOf(object).Elem().Name()))
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := holds(decoded(t, read(string(data))), decoded(t, string(data))); err != nil {
			t.Errorf("%T: %v", object, err)
		}
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// holds returns what of part is not in all.
func holds(all, part any) error {
	switch part := part.(type) {
	case map[string]any:
		fields, _ := all.(map[string]any)
		for key, value := range part {
			if err := holds(fields[key], value); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	case []any:
		items, _ := all.([]any)
		if len(items) != len(part) {
			return fmt.Errorf("%d items became %d", len(part), len(items))
		}
		for i := range part {
			if err := holds(items[i], part[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	default:
		if !reflect.DeepEqual(all, part) {
			return fmt.Errorf("%v became %v", part, all)
		}
	}
	return nil
}

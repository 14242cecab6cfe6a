package crds

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// acceptedObjects returns the Dynamo objects of testdata/accepted, and those in the folder that the
// environment variable SAMPLES names, by "file: kind name".
func acceptedObjects(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	paths, err := filepath.Glob("testdata/accepted/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("SAMPLES"); folder != "" {
		samples, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(samples) == 0 {
			t.Fatalf("SAMPLES=%s has no YAML files", folder)
		}
		paths = append(paths, samples...)
	}
	objects := map[string]*unstructured.Unstructured{}
	for _, path := range paths {
		for _, object := range readObjects(t, path) {
			objects[filepath.Base(path)+": "+object.GetKind()+" "+object.GetName()] = object
		}
	}
	return objects
}

// readObjects returns the objects in a file whose kinds are ours.
func readObjects(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for decoder := yamlstream.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if strings.HasPrefix(object.GetKind(), "Dynamo") {
			objects = append(objects, object)
		}
	}
}

// object returns an object of ours with a spec given as YAML.
func object(t *testing.T, kind, name, spec string) *unstructured.Unstructured {
	t.Helper()
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(spec), &content); err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{Object: map[string]any{"spec": content}}
	o.SetAPIVersion("nvidia.com/v1alpha1")
	o.SetKind(kind)
	o.SetName(name)
	o.SetNamespace(namespace)
	return o
}

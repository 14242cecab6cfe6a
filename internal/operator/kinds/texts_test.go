package kinds

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// hostile are texts that steer a terminal, end a program's text or a YAML
// document, read backwards, or are long.
var hostile = []string{
	"x\x1b]52;c;aGk=\a", "x\x00y", "x\n---\nkind: ConfigMap\n", "\u202etxt.exe", `"'$(id)` + "`id`", strings.Repeat("x", 12<<10),
}

// ordinary are objects of each kind, in the ways in which a text can be used:
// what they do not set is set in them, one place at a time.
var ordinary = map[string][]string{
	v1alpha1.KindGraphDeployment: {
		`spec: {services: {Worker: {componentType: worker, extraPodSpec: {mainContainer: {image: x}}}}}`,
		`spec: {backendFramework: vllm, services: {Worker: {componentType: worker, multinode: {nodeCount: 2}, resources: {limits: {gpu: "8"}},
		  extraPodSpec: {mainContainer: {image: x, command: [python3, -m, dynamo.vllm], args: [--tensor-parallel-size, "16"]}}}}}`,
		`spec: {services: {Worker: {componentType: frontend, ingress: {enabled: true, host: chat.example.com}, extraPodSpec: {mainContainer: {image: x}}}}}`,
	},
	v1alpha1.KindComponentDeployment: {
		`spec: {serviceName: Worker, componentType: worker, extraPodSpec: {mainContainer: {image: x}}}`,
		`spec: {backendFramework: sglang, serviceName: Worker, componentType: worker, multinode: {nodeCount: 2}, resources: {limits: {gpu: "8"}},
		  extraPodSpec: {mainContainer: {image: x, command: [/bin/sh, -c], args: ["python3 -m dynamo.sglang --tp 16"]}}}`,
	},
	v1alpha1.KindModel:                  {`spec: {modelName: base, baseModelName: base}`, `spec: {modelName: l, baseModelName: base, modelType: lora, source: {uri: "s3://bucket/l"}}`},
	v1alpha1.KindScalingAdapter:         {`spec: {replicas: 1, dgdRef: {name: chat, serviceName: Worker}}`},
	v1alpha1.KindGraphDeploymentRequest: {`spec: {model: m, backend: vllm, profilingConfig: {profilerImage: x, config: {}}}`},
	v1alpha1.KindCheckpoint:             {`spec: {identity: {model: m, backendFramework: vllm}, job: {podTemplateSpec: {spec: {containers: [{name: main, image: x}]}}}}`},
}

// TestEveryTextIsRefusedReadablyOrStaysAText puts hostile texts into every place
// of every kind that takes one. What is said of them is short and printable; what
// is not refused renders objects whose names and labels the API takes.
func TestEveryTextIsRefusedReadablyOrStaysAText(t *testing.T) {
	schemas := definitions(t)
	for _, kind := range All() {
		name := reflect.TypeOf(kind.Object).Elem().Name()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(ordinary[name]) == 0 {
				t.Fatal("no ordinary object of the kind")
			}
			places, refused, rendered := textsOf(schemas[name]), 0, 0
			for i, base := range ordinary[name] {
				texts := hostile
				if i > 0 {
					texts = hostile[4:5] // what is said of a text does not change with how it is used
				}
				for _, at := range places {
					for _, text := range texts[:max(1, len(texts)/fewer(at))] {
						object, ok := with(t, kind, base, at, text)
						if !ok {
							refused++ // no number, or no quantity
							continue
						}
						if !readable(t, kind, object, at, text) {
							refused++
							continue
						}
						rendered++
						fit(t, at, text, object)
					}
				}
			}
			t.Logf("%d places: %d texts refused, %d taken", len(places), refused, rendered)
		})
	}
}

// fewer is the share of the texts that is tried at a place: of the many that a pod
// has, most are copied as they are.
func fewer(at []string) int {
	if slices.Contains(at, "containers") || slices.Contains(at, "initContainers") || slices.Contains(at, "volumes") {
		return len(hostile)
	}
	return 1
}

// definitions are the schemas of our kinds.
func definitions(t *testing.T) map[string]*apiextensionsv1.JSONSchemaProps {
	t.Helper()
	files, err := fs.Glob(charts.FS(), "crds/definitions/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]*apiextensionsv1.JSONSchemaProps{}
	for _, file := range files {
		data, err := fs.ReadFile(charts.FS(), file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(data, crd); err != nil {
			t.Fatal(err)
		}
		schemas[crd.Spec.Names.Kind] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return schemas
}

// Steps of a place, besides names of fields: an item of a list, and the key of a map.
const (
	item = "[]"
	key  = "{key}"
)

// textsOf are the places of a kind that take a text, keys of maps among them.
func textsOf(schema *apiextensionsv1.JSONSchemaProps) [][]string {
	spec := schema.Properties["spec"]
	places := textsBelow(&spec, []string{"spec"})
	// The API server looks at the rest of an object's own metadata.
	return append(places, []string{"metadata", "annotations", "k"})
}

func textsBelow(schema *apiextensionsv1.JSONSchemaProps, at []string) [][]string {
	below := func(step string) []string { return append(slices.Clone(at), step) }
	switch {
	case schema.Type == "string" || schema.XIntOrString:
		return [][]string{at}
	case schema.Items != nil:
		return textsBelow(schema.Items.Schema, below(item))
	case schema.AdditionalProperties != nil:
		return append(textsBelow(schema.AdditionalProperties.Schema, below(nameOf(at))), below(key))
	case len(schema.Properties) == 0 && ptr.Deref(schema.XPreserveUnknownFields, false):
		return [][]string{below("unknown"), below(key)}
	}
	var places [][]string
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		places = append(places, textsBelow(&property, below(name))...)
	}
	return places
}

// nameOf a key in a map: that of the ordinary objects, where they have one.
func nameOf(at []string) string {
	if at[len(at)-1] == "services" {
		return "Worker"
	}
	return "k"
}

// with is an ordinary object with a text at a place. A type may not take it.
func with(t *testing.T, kind lifecycle.Kind, base string, at []string, text string) (client.Object, bool) {
	t.Helper()
	tree := map[string]any{}
	if err := yaml.Unmarshal([]byte(base), &tree); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(set(tree, at, text))
	if err != nil {
		t.Fatal(err)
	}
	object := reflect.New(reflect.TypeOf(kind.Object).Elem()).Interface().(client.Object)
	if err := json.Unmarshal(data, object); err != nil {
		return nil, false
	}
	object.SetName("chat")
	object.SetNamespace("team-a")
	object.SetUID("1")
	return object, true
}

// set returns the tree with a text at a place; lists get one item.
func set(tree any, at []string, text string) any {
	if len(at) == 0 {
		return text
	}
	step := at[0]
	if step == item {
		items, _ := tree.([]any)
		if len(items) == 0 {
			items = []any{nil}
		}
		items[0] = set(items[0], at[1:], text)
		return items
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		fields = map[string]any{}
	}
	if step == key {
		// As the other values of the map are.
		for _, value := range fields {
			fields[text] = value
			return fields
		}
		fields[text] = "v"
		return fields
	}
	fields[step] = set(fields[step], at[1:], text)
	return fields
}

// readable reports whether an object is not refused, after it looked at what is said.
func readable(t *testing.T, kind lifecycle.Kind, object client.Object, at []string, text string) bool {
	t.Helper()
	if kind.Validate == nil {
		return true
	}
	errs, warnings := kind.Validate(object, config.Default())
	said := slices.Clone(warnings)
	for _, err := range errs {
		said = append(said, err.Error())
	}
	for _, line := range said {
		if len(line) > 8<<10 {
			t.Errorf("%s: %.20q: %d bytes are said: %.200s", strings.Join(at, "."), text, len(line), line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return !strconv.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: %.20q: unprintable at %d of %.200q", strings.Join(at, "."), text, i, line)
		}
	}
	return len(errs) == 0
}

// fit renders an object that was not refused, and looks at what the API would
// refuse of it whole: names and labels.
func fit(t *testing.T, at []string, text string, object client.Object) {
	t.Helper()
	var components []*v1alpha1.DynamoComponentDeployment
	switch object := object.(type) {
	case *v1alpha1.DynamoGraphDeployment:
		render.Graph(object, config.Default(), nil)
		components = render.Components(object, config.Default(), render.Current)
		for _, c := range components {
			c.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(object, v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment))}
		}
	case *v1alpha1.DynamoComponentDeployment:
		components = append(components, object)
	}
	for _, component := range components {
		objects, err := render.Component(component, config.Default())
		if err != nil {
			t.Errorf("%s: %.20q is not refused, and then does not render: %v", strings.Join(at, "."), text, err)
			return
		}
		for _, problem := range misfits(t, component, objects) {
			t.Errorf("%s: %.20q: %.300s", strings.Join(at, "."), text, problem)
		}
	}
}

func misfits(t *testing.T, component client.Object, objects *render.ComponentObjects) []string {
	t.Helper()
	data, err := json.Marshal([]any{component, objects})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	return misfitsBelow(tree, "")
}

func misfitsBelow(tree any, path string) []string {
	var found []string
	switch node := tree.(type) {
	case []any:
		for i, value := range node {
			found = append(found, misfitsBelow(value, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case map[string]any:
		for name, value := range node {
			found = append(found, misfitsBelow(value, path+"."+name)...)
			if name == "metadata" {
				found = append(found, misfitsOf(value.(map[string]any), path)...)
			}
		}
	}
	return found
}

func misfitsOf(metadata map[string]any, path string) []string {
	var found []string
	if name, _ := metadata["name"].(string); name != "" {
		found = append(found, validation.IsDNS1123Subdomain(name)...)
	}
	labels, _ := metadata["labels"].(map[string]any)
	for label, value := range labels {
		found = append(found, validation.IsQualifiedName(label)...)
		found = append(found, validation.IsValidLabelValue(value.(string))...)
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	for annotation := range annotations {
		found = append(found, validation.IsQualifiedName(strings.ToLower(annotation))...)
	}
	for i := range found {
		found[i] = path + ".metadata: " + found[i]
	}
	return found
}

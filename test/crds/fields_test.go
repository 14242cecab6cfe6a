package crds

import (
	"reflect"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// kinds are the Go types behind the definitions, by kind.
var kinds = map[string]reflect.Type{
	v1alpha1.KindGraphDeployment:        reflect.TypeFor[v1alpha1.DynamoGraphDeployment](),
	v1alpha1.KindComponentDeployment:    reflect.TypeFor[v1alpha1.DynamoComponentDeployment](),
	v1alpha1.KindGraphDeploymentRequest: reflect.TypeFor[v1alpha1.DynamoGraphDeploymentRequest](),
	v1alpha1.KindModel:                  reflect.TypeFor[v1alpha1.DynamoModel](),
	v1alpha1.KindCheckpoint:             reflect.TypeFor[v1alpha1.DynamoCheckpoint](),
	v1alpha1.KindScalingAdapter:         reflect.TypeFor[v1alpha1.DynamoGraphDeploymentScalingAdapter](),
	v1alpha1.KindWorkerMetadata:         reflect.TypeFor[v1alpha1.DynamoWorkerMetadata](),
}

// betaKinds are the Go types of the kinds that have a second version.
var betaKinds = map[string]reflect.Type{
	v1alpha1.KindGraphDeployment:        reflect.TypeFor[v1beta1.DynamoGraphDeployment](),
	v1alpha1.KindComponentDeployment:    reflect.TypeFor[v1beta1.DynamoComponentDeployment](),
	v1alpha1.KindGraphDeploymentRequest: reflect.TypeFor[v1beta1.DynamoGraphDeploymentRequest](),
	v1alpha1.KindScalingAdapter:         reflect.TypeFor[v1beta1.DynamoGraphDeploymentScalingAdapter](),
}

// allVersions are the versions of each kind, those that the chart does not serve by itself included.
func allVersions(t *testing.T) map[string][]apiextensionsv1.CustomResourceDefinitionVersion {
	t.Helper()
	found := map[string][]apiextensionsv1.CustomResourceDefinitionVersion{}
	for kind, definition := range definitions(t) {
		found[kind] = definition.Spec.Versions
		for name, content := range readFiles(t, chartDir, "versions/"+definition.Spec.Names.Plural+".*.yaml") {
			var further []apiextensionsv1.CustomResourceDefinitionVersion
			if err := yaml.UnmarshalStrict([]byte(content), &further); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found[kind] = append(found[kind], further...)
		}
	}
	return found
}

// TestEveryFieldOfOursIsDescribed walks the Go types and the schemas side by side.
func TestEveryFieldOfOursIsDescribed(t *testing.T) {
	for kind, versions := range allVersions(t) {
		types := []reflect.Type{kinds[kind]}
		if beta, found := betaKinds[kind]; found {
			types = append(types, beta)
		}
		if len(versions) != len(types) {
			t.Errorf("%s has %d versions, want %d", kind, len(versions), len(types))
			continue
		}
		for i, version := range versions {
			if version.Schema.OpenAPIV3Schema.Description == "" {
				t.Errorf("%s has no description", kind)
			}
			checkDescribed(t, kind+" "+version.Name, types[i], version.Schema.OpenAPIV3Schema)
		}
	}
}

func checkDescribed(t *testing.T, path string, goType reflect.Type, schema *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	switch goType.Kind() {
	case reflect.Pointer:
		checkDescribed(t, path, goType.Elem(), schema)
	case reflect.Slice:
		if schema.Items != nil {
			checkDescribed(t, path+"[]", goType.Elem(), schema.Items.Schema)
		}
	case reflect.Map:
		checkDescribed(t, path+".*", goType.Elem(), schema.AdditionalProperties.Schema)
	case reflect.Struct:
		if isOurs(goType) {
			checkFieldsDescribed(t, path, goType, schema)
		}
	}
}

func checkFieldsDescribed(t *testing.T, path string, goType reflect.Type, schema *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	for field := range goType.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || name == "metadata":
		case strings.Contains(options, "inline"):
			checkDescribed(t, path, field.Type, schema)
		default:
			property, found := schema.Properties[name]
			if !found {
				t.Errorf("%s.%s is missing in the schema", path, name)
			} else if property.Description == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			checkDescribed(t, path+"."+name, field.Type, &property)
		}
	}
}

// isOurs reports whether a type is declared in one of our API packages.
func isOurs(goType reflect.Type) bool {
	return goType.PkgPath() == reflect.TypeFor[v1alpha1.DynamoGraphDeployment]().PkgPath() ||
		goType.PkgPath() == reflect.TypeFor[v1beta1.DynamoGraphDeployment]().PkgPath()
}

// TestEveryStatusTellsItsGeneration holds for every kind that has a status.
func TestEveryStatusTellsItsGeneration(t *testing.T) {
	for kind, versions := range allVersions(t) {
		for _, version := range versions {
			checkStatus(t, kind, version)
		}
	}
}

func checkStatus(t *testing.T, kind string, version apiextensionsv1.CustomResourceDefinitionVersion) {
	t.Helper()
	hasStatus := version.Subresources != nil && version.Subresources.Status != nil
	if hasStatus == (kind == v1alpha1.KindWorkerMetadata) {
		t.Errorf("%s %s: status subresource is %v", kind, version.Name, hasStatus)
	}
	status := version.Schema.OpenAPIV3Schema.Properties["status"]
	if _, found := status.Properties["observedGeneration"]; hasStatus && !found {
		t.Errorf("%s %s has no status.observedGeneration", kind, version.Name)
	}
}

// TestPrinterColumnsShowSomething checks that every column points at a field that exists.
func TestPrinterColumnsShowSomething(t *testing.T) {
	for kind, versions := range allVersions(t) {
		for _, version := range versions {
			checkColumns(t, kind, version)
		}
	}
}

func checkColumns(t *testing.T, kind string, version apiextensionsv1.CustomResourceDefinitionVersion) {
	t.Helper()
	for _, column := range version.AdditionalPrinterColumns {
		if strings.HasPrefix(column.JSONPath, ".metadata.") {
			continue
		}
		path, _, _ := strings.Cut(column.JSONPath, "[?")
		schema := *version.Schema.OpenAPIV3Schema
		for name := range strings.SplitSeq(strings.Trim(path, "."), ".") {
			next, found := schema.Properties[name]
			if !found {
				t.Errorf("%s %s: column %s shows %s, which does not exist", kind, version.Name, column.Name, column.JSONPath)
				break
			}
			schema = next
		}
	}
}

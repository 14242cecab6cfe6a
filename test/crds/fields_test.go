package crds

import (
	"reflect"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
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

// TestEveryFieldOfOursIsDescribed walks the Go types and the schemas side by side.
func TestEveryFieldOfOursIsDescribed(t *testing.T) {
	found := definitions(t)
	for kind, goType := range kinds {
		schema := found[kind].Spec.Versions[0].Schema.OpenAPIV3Schema
		if schema.Description == "" {
			t.Errorf("%s has no description", kind)
		}
		checkDescribed(t, kind, goType, schema)
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

// isOurs reports whether a type is declared in our API package.
func isOurs(goType reflect.Type) bool {
	return goType.PkgPath() == reflect.TypeFor[v1alpha1.DynamoGraphDeployment]().PkgPath()
}

// TestEveryStatusTellsItsGeneration holds for every kind that has a status.
func TestEveryStatusTellsItsGeneration(t *testing.T) {
	for kind, definition := range definitions(t) {
		version := definition.Spec.Versions[0]
		hasStatus := version.Subresources != nil && version.Subresources.Status != nil
		if hasStatus == (kind == v1alpha1.KindWorkerMetadata) {
			t.Errorf("%s: status subresource is %v", kind, hasStatus)
		}
		if !hasStatus {
			continue
		}
		status := version.Schema.OpenAPIV3Schema.Properties["status"]
		if _, found := status.Properties["observedGeneration"]; !found {
			t.Errorf("%s has no status.observedGeneration", kind)
		}
	}
}

// TestPrinterColumnsShowSomething checks that every column points at a field that exists.
func TestPrinterColumnsShowSomething(t *testing.T) {
	for kind, definition := range definitions(t) {
		version := definition.Spec.Versions[0]
		for _, column := range version.AdditionalPrinterColumns {
			if strings.HasPrefix(column.JSONPath, ".metadata.") {
				continue
			}
			path, _, _ := strings.Cut(column.JSONPath, "[?")
			schema := *version.Schema.OpenAPIV3Schema
			for name := range strings.SplitSeq(strings.Trim(path, "."), ".") {
				next, found := schema.Properties[name]
				if !found {
					t.Errorf("%s: column %s shows %s, which does not exist", kind, column.Name, column.JSONPath)
					break
				}
				schema = next
			}
		}
	}
}

// Package crdsafety says what a change of a CustomResourceDefinition does: how
// the definitions differ, and which live objects would lose fields or become
// invalid. It works on plain definitions and objects and knows no cluster
// client; schemas, pruning and validation are the API server's own code.
package crdsafety

import (
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Definition is a CustomResourceDefinition as the API server keeps it.
type Definition = apiextensionsv1.CustomResourceDefinition

// owner is who wrote some fields of a definition.
type owner = metav1.ManagedFieldsEntry

// Parse reads a definition from YAML or JSON and fills in what the API server
// would.
func Parse(content string) (*Definition, error) {
	crd := &Definition{}
	if err := yaml.Unmarshal([]byte(content), crd); err != nil {
		return nil, fmt.Errorf("read CRD: %w", err)
	}
	if crd.Kind != "CustomResourceDefinition" || crd.APIVersion != apiextensionsv1.SchemeGroupVersion.String() {
		return nil, fmt.Errorf("%s %s is no CRD of %s", crd.APIVersion, crd.Kind, apiextensionsv1.SchemeGroupVersion)
	}
	apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(crd)
	return crd, nil
}

// version finds a version of a definition by name, nil if it has none.
func version(crd *Definition, name string) *apiextensionsv1.CustomResourceDefinitionVersion {
	i := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &crd.Spec.Versions[i]
}

// storage is the version in which new objects are stored.
func storage(crd *Definition) *apiextensionsv1.CustomResourceDefinitionVersion {
	for i := range crd.Spec.Versions {
		if crd.Spec.Versions[i].Storage {
			return &crd.Spec.Versions[i]
		}
	}
	return nil
}

// served is the version in which objects are best read: the one they are
// stored in if it is served, else the first served one. Empty if none is.
func served(crd *Definition) string {
	if v := storage(crd); v != nil && v.Served {
		return v.Name
	}
	for _, v := range crd.Spec.Versions {
		if v.Served {
			return v.Name
		}
	}
	return ""
}

// internalSchema is a version's schema in the form that the API server's code
// works on.
func internalSchema(v *apiextensionsv1.CustomResourceDefinitionVersion) (*apiextensions.JSONSchemaProps, error) {
	out := &apiextensions.JSONSchemaProps{}
	if v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
		return out, nil
	}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, out, nil); err != nil {
		return nil, fmt.Errorf("version %s: %w", v.Name, err)
	}
	return out, nil
}

// structural is a version's schema as a tree that says what is kept and what
// is allowed.
func structural(v *apiextensionsv1.CustomResourceDefinitionVersion) (*schema.Structural, error) {
	internal, err := internalSchema(v)
	if err != nil {
		return nil, err
	}
	out, err := schema.NewStructural(internal)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", v.Name, err)
	}
	return out, nil
}

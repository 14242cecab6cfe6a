package main

import (
	"errors"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-tools/pkg/crd"
)

// sharedSpecs says where, in the definitions that embed it, a component's spec is found.
var sharedSpecs = map[string][]string{
	"dynamographdeployments":     {"spec", "services", "*"},
	"dynamocomponentdeployments": {"spec"},
}

// finish makes the changes to a generated definition that no marker can express.
func finish(definition *apiextensionsv1.CustomResourceDefinition) error {
	crd.FixTopLevelMetadata(*definition)
	shared, found := sharedSpecs[definition.Spec.Names.Plural]
	if !found {
		return nil
	}
	for i := range definition.Spec.Versions {
		if err := finishSharedSpec(definition.Spec.Versions[i].Schema.OpenAPIV3Schema, shared); err != nil {
			return fmt.Errorf("version %s: %w", definition.Spec.Versions[i].Name, err)
		}
	}
	return nil
}

// finishSharedSpec relaxes what is merged onto a generated pod, which has a container and its name
// already, and describes the endpoint picker's configuration.
func finishSharedSpec(schema *apiextensionsv1.JSONSchemaProps, shared []string) error {
	edits := []struct {
		path []string
		edit func(*apiextensionsv1.JSONSchemaProps) error
	}{
		{[]string{"extraPodSpec"}, makeOptional("containers")},
		{[]string{"extraPodSpec", "mainContainer"}, makeOptional("name")},
		{[]string{"eppConfig", "config"}, describeEndpointPickerConfig},
	}
	for _, e := range edits {
		if err := editAt(schema, slices.Concat(shared, e.path), e.edit); err != nil {
			return err
		}
	}
	return nil
}

// makeOptional takes a property off the list of required ones. That it is not on the list is an error:
// the types have changed, and whoever changed them should look here.
func makeOptional(property string) func(*apiextensionsv1.JSONSchemaProps) error {
	return func(schema *apiextensionsv1.JSONSchemaProps) error {
		i := slices.Index(schema.Required, property)
		if i < 0 {
			return fmt.Errorf("property %q is not required, so there is nothing to relax", property)
		}
		schema.Required = slices.Delete(slices.Clone(schema.Required), i, i+1)
		return nil
	}
}

// editAt edits the schema at a path of property names; "*" stands for the values of a map.
func editAt(schema *apiextensionsv1.JSONSchemaProps, path []string, edit func(*apiextensionsv1.JSONSchemaProps) error) error {
	if len(path) == 0 {
		return edit(schema)
	}
	name, rest := path[0], path[1:]
	if name == "*" {
		if schema.AdditionalProperties == nil || schema.AdditionalProperties.Schema == nil {
			return errors.New("not a map")
		}
		return editAt(schema.AdditionalProperties.Schema, rest, edit)
	}
	property, found := schema.Properties[name]
	if !found {
		return fmt.Errorf("%s: no such property", name)
	}
	if err := editAt(&property, rest, edit); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	schema.Properties[name] = property
	return nil
}

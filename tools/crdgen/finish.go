package main

import (
	"errors"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-tools/pkg/crd"
)

// edit is a change that no marker can express.
type edit struct {
	path []string
	edit func(*apiextensionsv1.JSONSchemaProps) error
}

// sharedSpec relaxes what is merged onto a generated pod, which has a container and its name already,
// and describes the endpoint picker's configuration. The keys are the versions.
var sharedSpec = map[string][]edit{
	"v1alpha1": {
		{[]string{"extraPodSpec"}, makeOptional("containers")},
		{[]string{"extraPodSpec", "mainContainer"}, makeOptional("name")},
		{[]string{"eppConfig", "config"}, describeEndpointPickerConfig},
	},
	"v1beta1": {
		{[]string{"podTemplate", "spec"}, makeOptional("containers")},
		{[]string{"eppConfig", "config"}, describeEndpointPickerConfig},
	},
}

// edits are those of each definition and version.
var edits = map[string]map[string][]edit{
	"dynamographdeployments": {
		"v1alpha1": below(sharedSpec["v1alpha1"], "spec", "services", "*"),
		"v1beta1":  below(sharedSpec["v1beta1"], "spec", "components", "*"),
	},
	"dynamocomponentdeployments": {
		"v1alpha1": below(sharedSpec["v1alpha1"], "spec"),
		"v1beta1":  below(sharedSpec["v1beta1"], "spec"),
	},
	"dynamographdeploymentrequests": {
		"v1beta1": {
			{[]string{"spec", "overrides", "profilingJob"}, makeOptional("template")},
			{[]string{"spec", "overrides", "profilingJob", "template", "spec"}, makeOptional("containers")},
		},
	},
}

func below(edits []edit, path ...string) []edit {
	var deeper []edit
	for _, e := range edits {
		deeper = append(deeper, edit{slices.Concat(path, e.path), e.edit})
	}
	return deeper
}

// finish makes the changes to a generated definition that no marker can express.
func finish(definition *apiextensionsv1.CustomResourceDefinition) error {
	crd.FixTopLevelMetadata(*definition)
	for i := range definition.Spec.Versions {
		version := &definition.Spec.Versions[i]
		if err := apply(version.Schema.OpenAPIV3Schema, edits[definition.Spec.Names.Plural][version.Name]); err != nil {
			return fmt.Errorf("version %s: %w", version.Name, err)
		}
	}
	return nil
}

func apply(schema *apiextensionsv1.JSONSchemaProps, edits []edit) error {
	for _, e := range edits {
		if err := editAt(schema, e.path, e.edit); err != nil {
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

// editAt edits the schema at a path of property names; "*" stands for the values of a map or the items
// of a list.
func editAt(schema *apiextensionsv1.JSONSchemaProps, path []string, edit func(*apiextensionsv1.JSONSchemaProps) error) error {
	if len(path) == 0 {
		return edit(schema)
	}
	name, rest := path[0], path[1:]
	if name == "*" {
		if schema.Items != nil && schema.Items.Schema != nil {
			return editAt(schema.Items.Schema, rest, edit)
		}
		if schema.AdditionalProperties == nil || schema.AdditionalProperties.Schema == nil {
			return errors.New("neither a map nor a list")
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

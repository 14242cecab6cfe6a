package main

import (
	"errors"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// describeEndpointPickerConfig spells out the parts of the endpoint picker's configuration that every
// version of it has, so that mistakes are found on admission. The Go type keeps the configuration as
// raw JSON, because other versions have more fields; for the same reason everything else is preserved.
//
// Parameters are objects here. A base64 string, as which the published definition types them, never
// reached the endpoint picker as anything that it could read.
func describeEndpointPickerConfig(schema *apiextensionsv1.JSONSchemaProps) error {
	if schema.Type != "object" || schema.XPreserveUnknownFields == nil || len(schema.Properties) > 0 {
		return errors.New("expected an object without properties that preserves unknown fields")
	}
	schema.Required = []string{"plugins", "schedulingProfiles"}
	schema.Properties = map[string]apiextensionsv1.JSONSchemaProps{
		"plugins": listOf("Plugins that the configuration uses.",
			openObject("", []string{"type"}, map[string]apiextensionsv1.JSONSchemaProps{
				"name":       text("Name by which profiles refer to the plugin. Default: its type."),
				"type":       text("Type of the plugin, for example max-score-picker."),
				"parameters": openObject("Parameters of the plugin, as the plugin defines them.", nil, nil),
			})),
		"schedulingProfiles": listOf("SchedulingProfiles combine plugins into ways to choose an endpoint.",
			openObject("", []string{"name", "plugins"}, map[string]apiextensionsv1.JSONSchemaProps{
				"name": text("Name of the profile."),
				"plugins": listOf("Plugins of the profile.",
					openObject("", []string{"pluginRef"}, map[string]apiextensionsv1.JSONSchemaProps{
						"pluginRef": text("PluginRef is the name of an entry of plugins."),
						// No type: versions differ in whether a weight may be a fraction.
						"weight": {Description: "Weight of a scorer among the scorers of the profile.", XPreserveUnknownFields: new(true)},
					})),
			})),
		"featureGates": listOf("FeatureGates to switch on.", apiextensionsv1.JSONSchemaProps{Type: "string"}),
		"saturationDetector": openObject("SaturationDetector says when an endpoint counts as saturated.", nil,
			map[string]apiextensionsv1.JSONSchemaProps{
				"queueDepthThreshold":       {Type: "integer", Description: "QueueDepthThreshold is the number of waiting requests."},
				"kvCacheUtilThreshold":      {Type: "number", Description: "KVCacheUtilThreshold is the used share of the KV cache, from 0 to 1."},
				"metricsStalenessThreshold": text("MetricsStalenessThreshold is the age after which metrics are ignored, for example 200ms."),
			}),
	}
	return nil
}

func text(description string) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
}

func listOf(description string, item apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{
		Type:        "array",
		Description: description,
		Items:       &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &item},
	}
}

// openObject is an object that keeps fields beyond those listed.
func openObject(description string, required []string, properties map[string]apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{
		Type:                   "object",
		Description:            description,
		Required:               required,
		Properties:             properties,
		XPreserveUnknownFields: new(true),
	}
}

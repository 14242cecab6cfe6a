package chart

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Outline is the schema of the values of which a layer may have any part: the keys
// that there are, with what they are for. What values must be, and which go
// together, is for the whole of them to say.
func (c *Chart) Outline() (map[string]any, error) {
	out := map[string]any{"type": "object"}
	for _, schema := range c.Schemas() {
		var full map[string]any
		if err := json.Unmarshal(schema.JSON, &full); err != nil {
			return nil, fmt.Errorf("schema of the values of chart %s: %w", schema.Chart, err)
		}
		at := out
		for _, key := range schema.Path {
			at = below(at, key)
		}
		maps.Copy(at, outline(full))
	}
	return out, nil
}

// below is the part of an outline that is under a key.
func below(outline map[string]any, key string) map[string]any {
	properties, _ := outline["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		outline["properties"] = properties
	}
	part, _ := properties[key].(map[string]any)
	if part == nil {
		part = map[string]any{}
		properties[key] = part
	}
	return part
}

func outline(schema map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"description", "default", "examples"} {
		if value, said := schema[key]; said {
			out[key] = value
		}
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		parts := map[string]any{}
		for key, property := range properties {
			part, _ := property.(map[string]any)
			parts[key] = outline(part)
		}
		out["properties"] = parts
	}
	if schema["additionalProperties"] == false {
		out["additionalProperties"] = false
	}
	return out
}

package fleet

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

//go:embed schema.yaml
var schemaText []byte

// Schema is the JSON Schema (draft 2020-12) of a fleet file, for editors: what it
// refuses, Parse refuses too. Values are what each chart takes, by its key; a
// layer may have any part of that.
func Schema(values map[string]map[string]any) ([]byte, error) {
	var schema map[string]any
	if err := yaml.Unmarshal(schemaText, &schema); err != nil {
		return nil, fmt.Errorf("schema of fleet files: %w", err)
	}
	definitions := schema["$defs"].(map[string]any)
	charts := definitions["valuesByChart"].(map[string]any)["properties"].(map[string]any)
	for _, key := range ChartKeys {
		definition := "values-" + key
		definitions[definition] = values[key]
		charts[key] = map[string]any{"oneOf": []any{map[string]any{"$ref": "#/$defs/" + definition}, map[string]any{"type": "null"}}}
	}
	return json.MarshalIndent(schema, "", "  ")
}

package chart

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// HideSecrets is a copy in which no entry of a Secret can be read. It is for
// people; nothing is applied from it.
func (r *Rendered) HideSecrets() (*Rendered, error) {
	out := &Rendered{Hooks: r.Hooks, Varying: r.Varying, Objects: slices.Clone(r.Objects)}
	var text strings.Builder
	for i, object := range out.Objects {
		if object.Kind == "Secret" && object.Group() == "" {
			content, err := withoutEntries(object.Content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", object, err)
			}
			out.Objects[i].Content = content
		}
		writeObject(&text, object.Template, out.Objects[i].Content)
	}
	out.Manifest = text.String()
	return out, nil
}

func withoutEntries(secret string) (string, error) {
	var content map[string]any
	if err := yaml.Unmarshal([]byte(secret), &content); err != nil {
		return "", err
	}
	for _, field := range []string{"data", "stringData"} {
		entries, _ := content[field].(map[string]any)
		for key := range entries {
			entries[key] = fleet.Hidden
		}
	}
	text, err := yaml.Marshal(content)
	return string(text), err
}

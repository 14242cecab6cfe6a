package survey

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// schemas reads of our kinds what anybody may: how the cluster serves them.
func (v *survey) schemas(context.Context) error {
	paths, err := v.Discovery.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	path, served := paths["apis/"+v1alpha1.GroupVersion.String()]
	if !served {
		return nil
	}
	text, err := path.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return err
	}
	var document struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("the OpenAPI document of %s: %w", v1alpha1.GroupVersion, err)
	}
	v.found.Schemas = map[string]map[string]any{}
	for _, schema := range document.Components.Schemas {
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		for _, entry := range kinds {
			if gvk, ok := entry.(map[string]any); ok && gvk["group"] == v1alpha1.GroupName {
				v.found.Schemas[fmt.Sprint(gvk["kind"])] = schema
			}
		}
	}
	return nil
}

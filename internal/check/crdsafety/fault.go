package crdsafety

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Fault is what a definition has against one field of an object that somebody
// wants to write.
type Fault struct {
	// Field is a path such as spec.services.Worker.replicas; empty for the whole
	// object.
	Field string
	// Unknown is true for a field that the definition does not have.
	Unknown bool
	// Says is the rest of the sentence that begins with the field.
	Says string
}

// Faults lists what the API server would refuse in a new object, which names
// its version. Unknown fields are refused as kubectl asks the server to.
func Faults(ctx context.Context, crd *Definition, object map[string]any) ([]Fault, error) {
	apiVersion, _ := object["apiVersion"].(string)
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		if crd.Spec.Group+"/"+v.Name != apiVersion || !v.Served {
			continue
		}
		j, err := newJudge(v)
		if err != nil {
			return nil, fmt.Errorf("read the schema of %s: %w", crd.Name, err)
		}
		return j.refuses(ctx, object), nil
	}
	return nil, fmt.Errorf("%s is not served as %s", crd.Spec.Names.Kind, apiVersion)
}

func (j *judge) refuses(ctx context.Context, object map[string]any) []Fault {
	var out []Fault
	for _, f := range j.faults(ctx, object) {
		says := "is unknown"
		if !f.dropped {
			says = f.detail
		}
		field := f.field
		if field == wholeObject {
			field = ""
		}
		out = append(out, Fault{Field: field, Unknown: f.dropped, Says: says})
	}
	return out
}

// Fields lists the fields that a definition has at a path, whose steps are
// field names, keys of maps and indexes of lists; none where it has no schema.
func Fields(crd *Definition, apiVersion string, path []string) []string {
	_, name, _ := strings.Cut(apiVersion, "/")
	v := version(crd, name)
	if v == nil || v.Schema == nil {
		return nil
	}
	at := v.Schema.OpenAPIV3Schema
	for _, step := range path {
		if at = below(at, step); at == nil {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(at.Properties))
}

func below(s *apiextensionsv1.JSONSchemaProps, step string) *apiextensionsv1.JSONSchemaProps {
	if property, ok := s.Properties[step]; ok {
		return &property
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Schema
	}
	if s.Items != nil {
		return s.Items.Schema
	}
	return nil
}

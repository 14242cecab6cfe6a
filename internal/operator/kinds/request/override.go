package request

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

// overridden is a graph with what a request says instead, as a partial graph in
// either version: it is merged in the version that it is written in.
func overridden(graph *v1alpha1.DynamoGraphDeployment, override *runtime.RawExtension) (*v1alpha1.DynamoGraphDeployment, error) {
	var said map[string]any
	if err := json.Unmarshal(override.Raw, &said); err != nil {
		return nil, err
	}
	version, _ := said["apiVersion"].(string)
	graph = graph.DeepCopy()
	graph.APIVersion, graph.Kind = v1alpha1.GroupVersion.String(), v1alpha1.KindGraphDeployment
	data, err := json.Marshal(graph)
	if err == nil {
		data, err = conversion.Object(data, version)
	}
	if err != nil {
		return nil, err
	}
	var base map[string]any
	if err := json.Unmarshal(data, &base); err != nil {
		return nil, err
	}
	if data, err = json.Marshal(mergeMaps(base, said)); err == nil {
		data, err = conversion.Object(data, v1alpha1.GroupVersion.String())
	}
	merged := &v1alpha1.DynamoGraphDeployment{}
	if err == nil {
		err = json.Unmarshal(data, merged)
	}
	if err != nil {
		return nil, fmt.Errorf("merge the overrides: %w", err)
	}
	return merged, nil
}

// itemKeys are those by which items of lists are told apart where it is not their
// name; variables are one thing each, and replaced as a whole.
var (
	itemKeys   = map[string]string{"volumeMounts": "mountPath", "ports": "containerPort"}
	wholeItems = []string{"env", "envs", "volumes", "pvcs"}
)

// mergeMaps writes one map over another, as kubectl patch does: null removes.
func mergeMaps(base, over map[string]any) map[string]any {
	for key, value := range over {
		if value == nil {
			delete(base, key)
			continue
		}
		switch value := value.(type) {
		case map[string]any:
			inner, _ := base[key].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			base[key] = mergeMaps(inner, value)
		case []any:
			there, _ := base[key].([]any)
			base[key] = mergeLists(key, there, value)
		default:
			base[key] = value
		}
	}
	return base
}

// mergeLists merges items of the same key; a list whose items have none is replaced.
func mergeLists(name string, base, over []any) []any {
	by, special := itemKeys[name]
	if !special {
		by = "name"
	}
	keyOf := func(item any) any {
		fields, _ := item.(map[string]any)
		return fields[by]
	}
	keyless := func(item any) bool { return keyOf(item) == nil }
	if slices.ContainsFunc(base, keyless) || slices.ContainsFunc(over, keyless) {
		return over
	}
	merged := slices.Clone(base)
	for _, item := range over {
		at := slices.IndexFunc(merged, func(there any) bool { return keyOf(there) == keyOf(item) })
		switch {
		case at < 0:
			merged = append(merged, mergeMaps(map[string]any{}, item.(map[string]any)))
		case slices.Contains(wholeItems, name):
			merged[at] = item
		default:
			merged[at] = mergeMaps(merged[at].(map[string]any), item.(map[string]any))
		}
	}
	return merged
}

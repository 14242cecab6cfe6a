package conversion

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// typedConfig are the entries of the profiler's configuration that are fields of a v1beta1 request.
// An entry of another type is no such field, and stays an entry.
var typedConfig = []struct {
	config, beta []string
	fits         func(any) bool
}{
	{[]string{"sla", "ttft"}, []string{"sla", "ttft"}, isNumber},
	{[]string{"sla", "itl"}, []string{"sla", "itl"}, isNumber},
	{[]string{"sla", "e2eLatency"}, []string{"sla", "e2eLatency"}, isNumber},
	{[]string{"sla", "optimizationType"}, []string{"sla", "optimizationType"}, isOneOf("latency", "throughput")},
	{[]string{"sla", "isl"}, []string{"workload", "isl"}, isInt32},
	{[]string{"sla", "osl"}, []string{"workload", "osl"}, isInt32},
	{[]string{"workload", "concurrency"}, []string{"workload", "concurrency"}, isNumber},
	{[]string{"workload", "requestRate"}, []string{"workload", "requestRate"}, isNumber},
	{[]string{"deployment", "modelCache", "pvcName"}, []string{"modelCache", "pvcName"}, isText},
	{[]string{"deployment", "modelCache", "modelPathInPvc"}, []string{"modelCache", "pvcModelPath"}, isText},
	{[]string{"deployment", "modelCache", "pvcMountPath"}, []string{"modelCache", "pvcMountPath"}, isText},
	{[]string{"hardware", "num_gpus_per_node"}, []string{"hardware", "numGpusPerNode"}, isInt32},
	{[]string{"hardware", "gpu_vram_mib"}, []string{"hardware", "vramMb"}, isNumber},
	{[]string{"hardware", "gpu_sku"}, []string{"hardware", "gpuSku"}, isOneOf(skus...)},
	{[]string{"hardware", "total_gpus"}, []string{"hardware", "totalGpus"}, isInt32},
	{[]string{"hardware", "interconnect"}, []string{"hardware", "interconnect"}, isText},
	{[]string{"hardware", "rdma"}, []string{"hardware", "rdma"}, isBool},
	{[]string{"planner"}, []string{"features", "planner"}, isMap},
	{[]string{"searchStrategy"}, []string{"searchStrategy"}, isOneOf("thorough")},
}

var skus = []string{
	"gb200_sxm", "gb10", "b200_sxm", "h200_sxm", "h100_sxm", "h100_pcie", "a100_sxm", "a100_pcie",
	"a30", "l40s", "l40", "l4", "v100_sxm", "v100_pcie", "t4", "mi200", "mi300",
}

func isText(value any) bool { text, is := value.(string); return is && text != "" }
func isBool(value any) bool { _, is := value.(bool); return is }
func isMap(value any) bool  { _, is := value.(map[string]any); return is }

func isNumber(value any) bool {
	switch value.(type) {
	case int64, float64:
		return true
	}
	return false
}

func isInt32(value any) bool {
	switch n := value.(type) {
	case int64:
		return n >= math.MinInt32 && n <= math.MaxInt32
	case float64:
		return n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32
	}
	return false
}

func isOneOf(values ...string) func(any) bool {
	return func(value any) bool { text, is := value.(string); return is && slices.Contains(values, text) }
}

// decodeMap returns nil for what is no map.
func decodeMap(raw *runtime.RawExtension) map[string]any {
	if raw == nil {
		return nil
	}
	var m map[string]any
	if utiljson.Unmarshal(raw.Raw, &m) != nil {
		return nil
	}
	return m
}

func encodeMap(m map[string]any) *runtime.RawExtension {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil // decoded JSON can be encoded
	}
	return &runtime.RawExtension{Raw: raw}
}

// betaConfig moves the typed entries of a configuration into the fields of a v1beta1 spec. What is left
// of the configuration only v1alpha1 can say.
func betaConfig(config map[string]any, spec *v1beta1.DynamoGraphDeploymentRequestSpec) (left map[string]any) {
	fields := map[string]any{}
	for _, entry := range typedConfig {
		if value, found := lookUp(config, entry.config); found && entry.fits(value) {
			set(fields, value, entry.beta)
			remove(config, entry.config)
		}
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(raw, spec)
	}
	if err != nil {
		return config // each value fits its field, so this does not happen
	}
	return config
}

// alphaConfig is the configuration that a v1beta1 spec stands for.
func alphaConfig(spec *v1beta1.DynamoGraphDeploymentRequestSpec) map[string]any {
	config := map[string]any{}
	raw, err := json.Marshal(spec)
	if err != nil {
		return config
	}
	fields := decodeMap(&runtime.RawExtension{Raw: raw})
	for _, entry := range typedConfig {
		if value, found := lookUp(fields, entry.beta); found && entry.fits(value) {
			set(config, value, entry.config)
		}
	}
	return config
}

func lookUp(m map[string]any, path []string) (any, bool) {
	for _, step := range path[:len(path)-1] {
		next, is := m[step].(map[string]any)
		if !is {
			return nil, false
		}
		m = next
	}
	value, found := m[path[len(path)-1]]
	return value, found
}

func set(m map[string]any, value any, path []string) {
	for _, step := range path[:len(path)-1] {
		next, is := m[step].(map[string]any)
		if !is {
			next = map[string]any{}
			m[step] = next
		}
		m = next
	}
	m[path[len(path)-1]] = value
}

// remove takes an entry out, and the maps that are empty without it.
func remove(m map[string]any, path []string) {
	if len(path) == 1 {
		delete(m, path[0])
		return
	}
	next, is := m[path[0]].(map[string]any)
	if !is {
		return
	}
	remove(next, path[1:])
	if len(next) == 0 {
		delete(m, path[0])
	}
}

// fillMap adds to a map what it lacks.
func fillMap(m, from map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		here, found := m[key]
		if !found {
			m[key] = from[key]
			continue
		}
		inner, isMap := here.(map[string]any)
		outer, isMapToo := from[key].(map[string]any)
		if isMap && isMapToo {
			fillMap(inner, outer)
		}
	}
}

package validate

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Request checks a request for a graph. restricted says whether the operator
// serves one namespace only and so cannot read the cluster's nodes.
func Request(r *v1alpha1.DynamoGraphDeploymentRequest, restricted bool) (errs field.ErrorList, warnings []string) {
	profiling := specPath.Child("profilingConfig")
	if r.Spec.ProfilingConfig.ProfilerImage == "" {
		errs = append(errs, field.Required(profiling.Child("profilerImage"), "name the image of the profiler"))
	}
	if restricted && r.Spec.EnableGPUDiscovery {
		errs = append(errs, field.Forbidden(specPath.Child("enableGpuDiscovery"),
			"this operator serves one namespace and cannot read the cluster's nodes: describe the hardware in "+profiling.Child("config").String()))
	}
	configErrs, warnings := profilerConfig(profiling.Child("config"), r)
	return append(errs, configErrs...), warnings
}

func profilerConfig(path *field.Path, r *v1alpha1.DynamoGraphDeploymentRequest) (field.ErrorList, []string) {
	raw := r.Spec.ProfilingConfig.Config
	if raw == nil || len(raw.Raw) == 0 {
		return field.ErrorList{field.Required(path, "the configuration of the profiler")}, nil
	}
	config := map[string]any{}
	if err := json.Unmarshal(raw.Raw, &config); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be a map: "+err.Error())}, nil
	}
	var warnings []string
	overwritten := func(by, value string, keys ...string) {
		found, ok, err := unstructured.NestedFieldNoCopy(config, keys...)
		if err == nil && ok && found != value {
			warnings = append(warnings, fmt.Sprintf("%s is %v, and is replaced by %s, which is %s", path.Child(keys[0], keys[1:]...), found, specPath.Child(by), value))
		}
	}
	overwritten("backend", string(r.Spec.Backend), "engine", "backend")
	overwritten("model", r.Spec.Model, "deployment", "model")
	return nil, warnings
}

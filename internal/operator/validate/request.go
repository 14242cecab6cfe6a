package validate

import (
	"encoding/json"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const (
	// longestRequestName leaves room for what Job and ConfigMap are called, in characters.
	longestRequestName = 51
	// largestRequest is in bytes of JSON: the profiler gets its configuration as one
	// word of its command, and Linux takes no longer ones than 128 KiB.
	largestRequest = 96 << 10
)

// Request checks a request for a graph. An operator that serves one namespace only
// cannot read the cluster's nodes.
func Request(r *v1alpha1.DynamoGraphDeploymentRequest, cfg *config.OperatorConfiguration) (errs field.ErrorList, warnings []string) {
	restricted := !cfg.ClusterWide()
	if size := bytesOf(r.Spec); size > largestRequest {
		return field.ErrorList{field.Forbidden(specPath, fmt.Sprintf("has %d KiB, and %d KiB is the most", size>>10, largestRequest>>10))}, nil
	}
	errs = append(errs, zeroBytes(specPath, &r.Spec)...)
	betaErrs, betaWarnings := betaRequest(r)
	errs = append(errs, betaErrs...)
	if excess := len(r.Name) - longestRequestName; excess > 0 {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), r.Name, fmt.Sprintf("%d characters too long, %d are allowed", excess, longestRequestName)))
	}
	profiling := specPath.Child("profilingConfig")
	if render.ProfilerImage(&r.Spec, cfg) == "" {
		errs = append(errs, field.Required(profiling.Child("profilerImage"), "name the image of the profiler: this platform has none for requests that do not"))
	}
	if restricted && r.Spec.EnableGPUDiscovery {
		errs = append(errs, field.Forbidden(specPath.Child("enableGpuDiscovery"),
			"this operator serves one namespace and cannot read the cluster's nodes: describe the hardware in "+profiling.Child("config").String()))
	}
	errs = append(errs, deploymentOverrides(specPath.Child("deploymentOverrides"), r, restricted)...)
	configErrs, warnings := profilerConfig(profiling.Child("config"), r)
	return Printable(append(errs, configErrs...), append(warnings, betaWarnings...))
}

func deploymentOverrides(path *field.Path, r *v1alpha1.DynamoGraphDeploymentRequest, restricted bool) field.ErrorList {
	overrides := r.Spec.DeploymentOverrides
	if overrides == nil {
		return nil
	}
	errs := labelSyntax(overrides.Labels, path.Child("labels"))
	errs = append(errs, annotationSyntax(overrides.Annotations, path.Child("annotations"))...)
	if overrides.DGD != nil {
		errs = append(errs, graphOverride(path.Child("dgd"), overrides.DGD)...)
	}
	if restricted && overrides.Namespace != "" && overrides.Namespace != r.Namespace {
		errs = append(errs, field.Forbidden(path.Child("namespace"), "this operator serves one namespace, and may write in no other: leave it out"))
	}
	check := func(name, value string) {
		if value == "" {
			return
		}
		for _, msg := range validation.IsDNS1123Label(value) {
			errs = append(errs, field.Invalid(path.Child(name), value, msg))
		}
	}
	check("name", overrides.Name)
	check("namespace", overrides.Namespace)
	return errs
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
	var errs field.ErrorList
	for _, section := range []string{"deployment", "engine", "hardware", "sweep"} {
		if value, given := config[section]; given {
			if _, is := value.(map[string]any); !is {
				errs = append(errs, field.Invalid(path.Child(section), value, "must be a map"))
			}
		}
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
	return errs, warnings
}

// RequestUpdate checks what may not change from one version of a request that has
// been started to the next.
func RequestUpdate(old, updated *v1alpha1.DynamoGraphDeploymentRequest) field.ErrorList {
	if equality.Semantic.DeepEqual(old.Spec, updated.Spec) {
		return nil
	}
	return field.ErrorList{field.Forbidden(specPath, "cannot change once profiling has started: delete the request, and create one with the new spec")}
}

// RequestRights are those that the author of a request needs: its Job runs an image
// of the author's choice as an account that may make graphs, and these may name
// whatever is in the namespace.
func RequestRights(r *v1alpha1.DynamoGraphDeploymentRequest, cfg *config.OperatorConfiguration) []Right {
	rights := []Right{
		createRight(specPath.Child("profilingConfig"), "", "pods", ""),
		createRight(specPath, v1alpha1.GroupName, "dynamographdeployments", ""),
		{specPath.Child("profilingConfig"), authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets", Name: render.HuggingFaceSecret}},
	}
	if r.Spec.AutoApply {
		autoApply := specPath.Child("autoApply")
		rights = append(rights,
			Right{autoApply, authorizationv1.ResourceAttributes{Verb: "get", Resource: "secrets"}},
			Right{autoApply, authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "serviceaccounts"}},
			createRight(autoApply, "", "persistentvolumeclaims", ""),
			createRight(autoApply, "networking.k8s.io", "ingresses", ""),
		)
		if cfg.Ingress.HTTPRouteGateway != "" {
			rights = append(rights, createRight(autoApply, gatewayapi.GroupVersion.Group, "httproutes", ""))
		}
		if cfg.Ingress.VirtualServiceGateway != "" {
			rights = append(rights, createRight(autoApply, istio.GroupVersion.Group, "virtualservices", ""))
		}
	}
	return rights
}

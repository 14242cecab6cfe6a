package validate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Component checks a component by itself, and against what the operator's
// configuration lets components do.
func Component(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) (errs field.ErrorList, warnings []string) {
	for _, msg := range validation.IsDNS1035Label(dcd.Name) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), dcd.Name, "its Service would have this name: "+lengthHint(dcd.Name, msg)))
	}
	errs = append(errs, zeroBytes(specPath, &dcd.Spec)...)
	betaErrs, betaWarnings := betaComponent(dcd)
	errs = append(errs, betaErrs...)
	specErrs, warnings := sharedSpec(specPath, &dcd.Spec.DynamoComponentDeploymentSharedSpec, surroundings{
		namespace: dcd.Namespace, framework: dcd.Spec.BackendFramework, config: cfg,
	})
	if render.ParentGraph(dcd) == "" && dcd.Spec.ComponentType == v1alpha1.ComponentTypeEPP {
		errs = append(errs, field.Forbidden(specPath.Child("componentType"), "an endpoint picker is a service of a graph, from whose frontends it picks"))
	}
	if render.ParentGraph(dcd) == "" && render.HasScalingAdapter(&dcd.Spec.DynamoComponentDeploymentSharedSpec) {
		warnings = append(warnings, specPath.Child("scalingAdapter").String()+" is ignored: only services of a graph have scaling adapters")
	}
	if errs = append(errs, specErrs...); len(errs) == 0 {
		errs = componentSize(dcd, cfg)
	}
	warnings = append(warnings, betaWarnings...)
	return Printable(errs, warnings)
}

// ComponentOrigin refuses what makes a component look like part of a graph. Only
// the operator makes those: others may keep what a component has, but not say it
// anew. old is nil for a new component.
func ComponentOrigin(old, dcd *v1alpha1.DynamoComponentDeployment) field.ErrorList {
	if old == nil {
		old = &v1alpha1.DynamoComponentDeployment{}
	}
	var errs field.ErrorList
	labels := field.NewPath("metadata", "labels")
	if graph, set := dcd.Labels[v1alpha1.LabelGraphDeploymentName]; set && graph != old.Labels[v1alpha1.LabelGraphDeploymentName] {
		errs = append(errs, field.Forbidden(labels.Key(v1alpha1.LabelGraphDeploymentName), "only the operator makes components of a graph: add a service to the graph"))
	}
	if manager := dcd.Labels[render.ManagedByLabel]; manager == render.Manager && manager != old.Labels[render.ManagedByLabel] {
		errs = append(errs, field.Forbidden(labels.Key(render.ManagedByLabel), "the operator does not manage a component that it has not made: remove the label"))
	}
	for i, owner := range dcd.OwnerReferences {
		if owner.Kind == v1alpha1.KindGraphDeployment && !slices.ContainsFunc(old.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == owner.UID }) {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "ownerReferences").Index(i), "only the operator makes components of a graph: add a service to the graph"))
		}
	}
	return errs
}

// surroundings are what a service is checked against besides itself.
type surroundings struct {
	namespace string
	framework v1alpha1.BackendFramework
	// envs are the variables that it inherits.
	envs   []corev1.EnvVar
	config *config.OperatorConfiguration
}

func sharedSpec(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec, around surroundings) (errs field.ErrorList, warnings []string) {
	if s.DynamoNamespace != "" && s.ServiceName == "" {
		warnings = append(warnings, path.Child("dynamoNamespace").String()+" is ignored: the logical namespace follows from the graph's name")
	}
	if s.Autoscaling != nil {
		warnings = append(warnings, path.Child("autoscaling").String()+" is ignored: use scalingAdapter with an autoscaler of your choice")
	}
	for _, env := range slices.Concat(s.Envs, mainEnv(s)) {
		if env.Name == "DYN_DEPLOYMENT_CONFIG" {
			warnings = append(warnings, path.Child("envs").String()+": DYN_DEPLOYMENT_CONFIG reaches the container, but sets no workers and no resources: write replicas and resources")
		}
	}
	if s.Replicas != nil && *s.Replicas < 0 {
		errs = append(errs, field.Invalid(path.Child("replicas"), *s.Replicas, "must not be negative"))
	}
	if s.Ingress != nil && s.Ingress.Enabled && s.Ingress.Host == "" {
		errs = append(errs, field.Required(path.Child("ingress", "host"), "needed when ingress is enabled"))
	}
	if m := s.SharedMemory; m != nil && !m.Disabled && m.Size.Sign() <= 0 {
		errs = append(errs, field.Required(path.Child("sharedMemory", "size"), "needed unless disabled is true"))
	}
	errs = append(errs, componentType(path.Child("componentType"), s.ComponentType)...)
	metadataErrs, metadataWarnings := metadata(path, s)
	errs, warnings = append(errs, metadataErrs...), append(warnings, metadataWarnings...)
	errs = append(errs, borrowed(path, s, around.config)...)
	errs = append(errs, exposed(path.Child("ingress"), around.namespace, s.Ingress, around.config)...)
	errs = append(errs, labelValues(path, s)...)
	errs = append(errs, discoveryAnnotation(path.Child("annotations"), s.Annotations)...)
	errs = append(errs, strategy(path.Child("annotations"), s.Annotations)...)
	errs = append(errs, directives(path, s)...)
	errs = append(errs, resources(path.Child("resources"), s.Resources)...)
	errs = append(errs, image(path.Child("extraPodSpec", "mainContainer", "image"), s.ExtraPodSpec)...)
	errs = append(errs, pod(path, s)...)
	errs = append(errs, endpointPicker(path, s)...)
	errs = append(errs, fromCheckpoint(path.Child("checkpoint"), s)...)

	if _, err := render.ServerPort(s, around.envs); err != nil {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, err.Error()))
	}
	engine, err := render.Engine(around.framework, s)
	if err != nil {
		errs = append(errs, field.Invalid(path.Child("extraPodSpec", "mainContainer", "command"), field.OmitValueType{}, err.Error()))
	}
	errs = append(errs, volumeMounts(path.Child("volumeMounts"), engine, s)...)
	errs = append(errs, containers(path, engine, s)...)
	errs = append(errs, times(path.Child("livenessProbe"), s.LivenessProbe, true)...)
	errs = append(errs, times(path.Child("readinessProbe"), s.ReadinessProbe, false)...)
	if err == nil {
		groupErrs, groupWarnings := group(path, engine, s)
		errs, warnings = append(errs, groupErrs...), append(warnings, groupWarnings...)
	}
	return errs, append(warnings, repeatedVariables(path, s)...)
}

func mainEnv(s *v1alpha1.DynamoComponentDeploymentSharedSpec) []corev1.EnvVar {
	if s.ExtraPodSpec == nil || s.ExtraPodSpec.MainContainer == nil {
		return nil
	}
	return s.ExtraPodSpec.MainContainer.Env
}

func labelValues(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	var errs field.ErrorList
	check := func(name, value string) {
		for _, msg := range validation.IsValidLabelValue(value) {
			errs = append(errs, field.Invalid(path.Child(name), value, "becomes a label: "+msg))
		}
	}
	check("serviceName", s.ServiceName)
	check("dynamoNamespace", s.DynamoNamespace)
	check("componentType", s.ComponentType)
	check("subComponentType", s.SubComponentType)
	return errs
}

var share = regexp.MustCompile(`^\d+%?$`)

func strategy(path *field.Path, annotations map[string]string) field.ErrorList {
	var errs field.ErrorList
	const key = v1alpha1.AnnotationDeploymentStrategy
	allowed := []string{string(appsv1.RollingUpdateDeploymentStrategyType), string(appsv1.RecreateDeploymentStrategyType)}
	if value, ok := annotations[key]; ok && value != allowed[0] && value != allowed[1] {
		errs = append(errs, field.NotSupported(path.Key(key), value, allowed))
	}
	for _, key := range []string{v1alpha1.AnnotationRollingUpdateMaxSurge, v1alpha1.AnnotationRollingUpdateMaxUnavailable} {
		if value, ok := annotations[key]; ok && !share.MatchString(value) {
			errs = append(errs, field.Invalid(path.Key(key), value, "must be a number of pods or a percentage, such as 1 or 25%"))
		}
	}
	if zero(annotations[v1alpha1.AnnotationRollingUpdateMaxSurge]) && zero(annotations[v1alpha1.AnnotationRollingUpdateMaxUnavailable]) {
		errs = append(errs, field.Invalid(path.Key(v1alpha1.AnnotationRollingUpdateMaxUnavailable), annotations[v1alpha1.AnnotationRollingUpdateMaxUnavailable],
			"without a pod more and a pod less nothing can be replaced: let max-surge or this be at least 1, or set "+key+": "+allowed[1]))
	}
	return errs
}

// zero tells whether a share of pods is given, and none.
func zero(value string) bool { return share.MatchString(value) && strings.Trim(value, "0%") == "" }

func resources(path *field.Path, r *v1alpha1.Resources) field.ErrorList {
	converted, err := render.ResourceRequirements(r)
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	errs := wholeDevices(path, converted)
	for _, name := range sortedNames(converted.Requests) {
		request, limit := converted.Requests[name], converted.Limits[name]
		if !limit.IsZero() && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests"), request.String(), fmt.Sprintf("more %s than the limit of %s", name, limit.String())))
		}
	}
	return errs
}

// wholeDevices: the API server says so of the generated pod, which the author
// has not written.
func wholeDevices(path *field.Path, r corev1.ResourceRequirements) field.ErrorList {
	var errs field.ErrorList
	for list, amounts := range map[string]corev1.ResourceList{"limits": r.Limits, "requests": r.Requests} {
		for _, name := range sortedNames(amounts) {
			amount := amounts[name]
			if amount.Sign() < 0 {
				errs = append(errs, field.Invalid(path.Child(list), amount.String(), fmt.Sprintf("%s must not be negative", name)))
			}
			if extended(name) && amount.MilliValue()%1000 != 0 {
				errs = append(errs, field.Invalid(path.Child(list), amount.String(), fmt.Sprintf("%s are given to containers as a whole: write a whole number", name)))
			}
		}
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
	return errs
}

// extended resources have a domain that is not Kubernetes' own.
func extended(name corev1.ResourceName) bool {
	domain, _, qualified := strings.Cut(string(name), "/")
	return qualified && !strings.HasSuffix(domain, "kubernetes.io")
}

// componentType: any word is accepted and means a plain container, so one that
// is nearly a known one would be accepted, too, and never do what was meant.
func componentType(path *field.Path, value string) field.ErrorList {
	known := render.ComponentTypes()
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	if meant := spelling.Closest(value, known); meant != "" {
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf("did you mean %s? Other words mean a plain container", meant))}
	}
	return nil
}

// image: there is no default for it, and the API server would only name the
// field of the generated pod.
func image(path *field.Path, extra *v1alpha1.ExtraPodSpec) field.ErrorList {
	if extra == nil || extra.MainContainer == nil || extra.MainContainer.Image == "" {
		return field.ErrorList{field.Required(path, "name the image that the service runs")}
	}
	return nil
}

func volumeMounts(path *field.Path, engine v1alpha1.BackendFramework, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	var errs field.ErrorList
	for i, mount := range s.VolumeMounts {
		at := path.Index(i)
		if mount.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), "name the claim to mount"))
		}
		switch {
		case mount.MountPoint != "":
		case !mount.UseAsCompilationCache:
			errs = append(errs, field.Required(at.Child("mountPoint"), "needed unless useAsCompilationCache is true"))
		case engine != v1alpha1.BackendFrameworkVLLM:
			errs = append(errs, field.Required(at.Child("mountPoint"), "only vLLM has a known place for its compilation cache"))
		}
	}
	return errs
}

func sortedNames(list corev1.ResourceList) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(list))
}

package validate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

var (
	specPath        = field.NewPath("spec")
	annotationsPath = field.NewPath("metadata", "annotations")
)

// https://semver.org, as one expression without the capture groups.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// Graph checks a graph by itself, and against what the operator's configuration
// lets graphs do. Every service is checked, not only up to the first mistake.
func Graph(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration) (errs field.ErrorList, warnings []string) {
	if errs = hugeGraph(dgd); len(errs) > 0 {
		return Printable(errs, nil)
	}
	errs = append(errs, zeroBytes(specPath, &dgd.Spec)...)
	warnings = append(warnings, otherNamespaces(specPath, &dgd.Spec)...)
	errs = append(errs, graphAnnotations(dgd.Annotations)...)
	betaErrs, betaWarnings := betaGraph(dgd)
	errs, warnings = append(errs, betaErrs...), append(warnings, betaWarnings...)
	errs = append(errs, claims(dgd.Spec.PVCs)...)
	errs = append(errs, restart(dgd)...)
	errs = append(errs, variables(specPath.Child("envs"), dgd.Spec.Envs)...)

	services := specPath.Child("services")
	if len(dgd.Spec.Services) == 0 {
		errs = append(errs, field.Required(services, "a graph has at least one service"))
	}
	errs = append(errs, sameNames(services, dgd)...)
	errs = append(errs, sameHosts(services, dgd)...)
	pickerErrs, pickerWarnings := graphPicker(services, dgd)
	errs, warnings = append(errs, pickerErrs...), append(warnings, pickerWarnings...)
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		path, service := services.Key(name), dgd.Spec.Services[name]
		if service == nil {
			errs = append(errs, field.Required(path, "a service cannot be null: give it at least {}"))
			continue
		}
		errs = append(errs, serviceNames(path, dgd, name, service)...)
		errs = append(errs, noRestart(path.Child("annotations"), service.Annotations)...)
		serviceErrs, serviceWarnings := sharedSpec(path, service, surroundings{
			namespace: dgd.Namespace, framework: dgd.Spec.BackendFramework, envs: dgd.Spec.Envs, config: cfg,
		})
		errs = append(errs, serviceErrs...)
		warnings = append(warnings, serviceWarnings...)
	}
	if len(errs) == 0 {
		errs = graphSize(dgd, cfg)
	}
	return Printable(errs, warnings)
}

func graphAnnotations(annotations map[string]string) field.ErrorList {
	var errs field.ErrorList
	if version, ok := annotations[v1alpha1.AnnotationOperatorOriginVersion]; ok && !semver.MatchString(version) {
		errs = append(errs, field.Invalid(annotationsPath.Key(v1alpha1.AnnotationOperatorOriginVersion), version, "must be a semantic version such as 1.0.0"))
	}
	return append(errs, discoveryAnnotation(annotationsPath, annotations)...)
}

func discoveryAnnotation(path *field.Path, annotations map[string]string) field.ErrorList {
	backend, ok := annotations[v1alpha1.AnnotationDiscoveryBackend]
	if !ok || backend == config.DiscoveryKubernetes || backend == config.DiscoveryEtcd {
		return nil
	}
	return field.ErrorList{field.NotSupported(path.Key(v1alpha1.AnnotationDiscoveryBackend), backend,
		[]string{config.DiscoveryKubernetes, config.DiscoveryEtcd})}
}

func claims(pvcs []v1alpha1.PVC) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, pvc := range pvcs {
		path := specPath.Child("pvcs").Index(i)
		switch {
		case pvc.Name == "":
			errs = append(errs, field.Required(path.Child("name"), "name the claim"))
		case seen[pvc.Name]:
			errs = append(errs, field.Duplicate(path.Child("name"), pvc.Name))
		}
		seen[pvc.Name] = true
		if !pvc.Create {
			continue
		}
		missing := func(name string) {
			errs = append(errs, field.Required(path.Child(name), "needed to create the claim"))
		}
		if pvc.Size.IsZero() {
			missing("size")
		}
		if pvc.VolumeAccessMode == "" {
			missing("volumeAccessMode")
		}
	}
	return errs
}

func restart(dgd *v1alpha1.DynamoGraphDeployment) field.ErrorList {
	r := dgd.Spec.Restart
	if r == nil {
		return nil
	}
	var errs field.ErrorList
	path := specPath.Child("restart")
	if r.ID == "" {
		errs = append(errs, field.Required(path.Child("id"), "every new id asks for one restart"))
	}
	if r.Strategy == nil || len(r.Strategy.Order) == 0 {
		return errs
	}
	order := path.Child("strategy", "order")
	if r.Strategy.Type == v1alpha1.RestartStrategyParallel {
		errs = append(errs, field.Forbidden(order, "services that restart in parallel have no order"))
	}
	seen := map[string]bool{}
	for i, name := range r.Strategy.Order {
		if _, exists := dgd.Spec.Services[name]; !exists {
			errs = append(errs, field.Invalid(order.Index(i), name, "is not a service of this graph"))
		}
		if seen[name] {
			errs = append(errs, field.Duplicate(order.Index(i), name))
		}
		seen[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if !seen[name] {
			errs = append(errs, field.Required(order, fmt.Sprintf("must name every service, and lacks %s", name)))
		}
	}
	return errs
}

// noRestart: a service of a graph restarts in the graph's order, and starts from
// the checkpoint that the operator finds.
func noRestart(path *field.Path, annotations map[string]string) field.ErrorList {
	var errs field.ErrorList
	forbid := func(key, instead string) {
		if _, set := annotations[key]; set {
			errs = append(errs, field.Forbidden(path.Key(key), "is set by the operator: "+instead))
		}
	}
	forbid(v1alpha1.AnnotationRestartAt, "ask for a restart by "+specPath.Child("restart", "id").String())
	forbid(v1alpha1.AnnotationRestoreFrom, "say which one by checkpoint.checkpointRef")
	return errs
}

// sameNames finds services whose objects would have one name.
func sameNames(path *field.Path, dgd *v1alpha1.DynamoGraphDeployment) field.ErrorList {
	var errs field.ErrorList
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		lower := strings.ToLower(name)
		if other, taken := first[lower]; taken {
			errs = append(errs, field.Invalid(path.Key(name), name,
				fmt.Sprintf("differs from %s only by case, and both would be named %s", other, render.ComponentName(dgd.Name, name))))
			continue
		}
		first[lower] = name
	}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		base, number, numbered := cutLast(strings.ToLower(name), "-")
		if other := first[base]; numbered && digits.MatchString(number) && dgd.Spec.Services[other].NodeCount() > 1 {
			errs = append(errs, field.Invalid(path.Key(name), name,
				fmt.Sprintf("its Service would have the name of the group %s of service %s, which runs on several nodes: choose another name", number, other)))
		}
	}
	return errs
}

var digits = regexp.MustCompile(`^[0-9]+$`)

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// sameHosts finds services that would be exposed under one host and path.
func sameHosts(path *field.Path, dgd *v1alpha1.DynamoGraphDeployment) field.ErrorList {
	var errs field.ErrorList
	first := map[[3]string]string{}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		if service == nil || service.Ingress == nil || !service.Ingress.Enabled || service.Ingress.Host == "" {
			continue
		}
		in := service.Ingress
		host := [3]string{ptr.Deref(in.HostPrefix, ""), in.Host, ptr.Deref(in.HostSuffix, "")}
		if other, taken := first[host]; taken {
			errs = append(errs, field.Invalid(path.Key(name).Child("ingress", "host"), in.Host, "service "+other+" has this host already, and both would answer all paths"))
			continue
		}
		first[host] = name
	}
	return errs
}

// serviceNames checks what the names of the graph, its namespace and the
// service become: names of objects and values of labels.
func serviceNames(path *field.Path, dgd *v1alpha1.DynamoGraphDeployment, name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	var errs field.ErrorList
	component := render.ComponentName(dgd.Name, name)
	excess := len(component) - render.LongestGroupName
	// One sentence for one name: what is wrong with it as another is not asked.
	switch asName, asLabel := validation.IsDNS1035Label(component), validation.IsValidLabelValue(name); {
	case service.NodeCount() > 1 && excess > 0:
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("its LeaderWorkerSet would be named %s: %d characters too long, %d are allowed over several nodes",
			component, excess, render.LongestGroupName)))
	case len(asName) > 0:
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf("its objects would be named %s: %s", component, lengthHint(component, asName[0]))))
	case len(asLabel) > 0:
		errs = append(errs, field.Invalid(path, name, "becomes a label: "+asLabel[0]))
	}
	namespace := render.LogicalNamespace(dgd, service)
	for _, msg := range validation.IsValidLabelValue(namespace) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), dgd.Name,
			fmt.Sprintf("with its namespace it makes the label %s: %s", namespace, lengthHint(namespace, msg))))
	}
	return errs
}

func lengthHint(name, msg string) string {
	if excess := len(name) - validation.DNS1035LabelMaxLength; excess > 0 {
		return fmt.Sprintf("%d characters too long, 63 are allowed", excess)
	}
	return msg
}

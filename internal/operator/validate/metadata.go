package validate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// claimsOfThePlatform are the labels and annotations that say whose an object is or what it
// does. The platform sets them itself, so from a user they are refused. Other
// reserved ones are left out with a warning: charts and generators write them
// everywhere without a thought.
var claimsOfThePlatform = []string{
	v1alpha1.LabelSelector,
	v1alpha1.LabelGraphDeploymentName,
	v1alpha1.LabelComponent,
	v1alpha1.LabelNamespace,
	v1alpha1.LabelComponentType,
	v1alpha1.LabelSubComponentType,
	v1alpha1.LabelComponentClass,
	v1alpha1.LabelBaseModelHash,
	v1alpha1.LabelMetricsEnabled,
	v1alpha1.LabelDiscoveryEnabled,
	v1alpha1.LabelComponentPod,
	v1alpha1.LabelManagedBy,
	v1alpha1.LabelOperatorNamespace,
	v1alpha1.LabelCheckpointName,
	v1alpha1.LabelCheckpointHash,
	v1alpha1.LabelCheckpointSource,
	v1alpha1.LabelRequestName,
	v1alpha1.LabelRequestNamespace,
	v1alpha1.LabelRequestUID,
	v1alpha1.AnnotationBaseModel,
	v1alpha1.AnnotationLastAppliedHash,
	v1alpha1.AnnotationLastAppliedGeneration,
	v1alpha1.AnnotationAdditionalResources,
	"app.kubernetes.io/part-of",
	"app.kubernetes.io/managed-by",
}

// claimingDomains are those of which every key is such a claim.
var claimingDomains = []string{"meta.helm.sh/", "wheelhouse.dev/"}

func isClaim(key string) bool {
	return slices.Contains(claimsOfThePlatform, key) ||
		slices.ContainsFunc(claimingDomains, func(domain string) bool { return strings.HasPrefix(key, domain) })
}

// metadata checks all labels and annotations of a component that are meant for
// objects.
func metadata(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) (errs field.ErrorList, warnings []string) {
	check := func(path *field.Path, keys map[string]string, syntax func(map[string]string, *field.Path) field.ErrorList, accepted func(string) bool) {
		errs = append(errs, syntax(keys, path)...)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			at := path.Key(key)
			switch {
			case !render.Reserved(key) || accepted(key):
			case isClaim(key):
				errs = append(errs, field.Forbidden(at, "is set by the platform, or by Helm, on its own objects: remove it"))
			default:
				warnings = append(warnings, fmt.Sprintf("%s is left out: it is not known to this operator, and others of its domain are the platform's", at))
			}
		}
	}
	none := func(string) bool { return false }
	check(path.Child("labels"), s.Labels, labelSyntax, none)
	check(path.Child("annotations"), s.Annotations, annotationSyntax, func(key string) bool {
		return render.IsDirective(key) || key == v1alpha1.AnnotationRestartAt || key == v1alpha1.AnnotationRestoreFrom
	})
	if extra := s.ExtraPodMetadata; extra != nil {
		check(path.Child("extraPodMetadata", "labels"), extra.Labels, labelSyntax, none)
		check(path.Child("extraPodMetadata", "annotations"), extra.Annotations, annotationSyntax, none)
	}
	if ingress := s.Ingress; ingress != nil {
		check(path.Child("ingress", "labels"), ingress.Labels, labelSyntax, none)
		check(path.Child("ingress", "annotations"), ingress.Annotations, annotationSyntax, none)
	}
	eachClaimTemplate(path.Child("extraPodSpec"), s.ExtraPodSpec, func(path *field.Path, meta *metav1.ObjectMeta) {
		if meta.Name != "" {
			errs = append(errs, field.Forbidden(path.Child("name"), "such a claim is named after its pod: remove it"))
		}
		check(path.Child("labels"), meta.Labels, labelSyntax, none)
		check(path.Child("annotations"), meta.Annotations, annotationSyntax, none)
	})
	return errs, warnings
}

// labelSyntax and annotationSyntax are what the API server refuses of labels and
// annotations, with the path of each.
func labelSyntax(labels map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		for _, msg := range validation.IsQualifiedName(key) {
			errs = append(errs, field.Invalid(path.Key(key), key, "is no key of a label: "+msg))
		}
		for _, msg := range validation.IsValidLabelValue(labels[key]) {
			errs = append(errs, field.Invalid(path.Key(key), labels[key], msg))
		}
	}
	return errs
}

func annotationSyntax(annotations map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		for _, msg := range validation.IsQualifiedName(strings.ToLower(key)) {
			errs = append(errs, field.Invalid(path.Key(key), key, "is no key of an annotation: "+msg))
		}
	}
	return errs
}

// eachClaimTemplate visits the metadata of claims that live as long as their pod.
func eachClaimTemplate(path *field.Path, extra *v1alpha1.ExtraPodSpec, visit func(*field.Path, *metav1.ObjectMeta)) {
	var volumes []corev1.Volume
	if extra != nil && extra.PodSpec != nil {
		volumes = extra.Volumes
	}
	for i, volume := range volumes {
		if volume.Ephemeral != nil && volume.Ephemeral.VolumeClaimTemplate != nil {
			visit(path.Child("volumes").Index(i).Child("ephemeral", "volumeClaimTemplate", "metadata"), &volume.Ephemeral.VolumeClaimTemplate.ObjectMeta)
		}
	}
}

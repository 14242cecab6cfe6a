package conversion

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// BetaPath is where v1beta1 has what v1alpha1 has at a path such as
// spec.services[decode].extraPodSpec.mainContainer.image. a is the object, in v1alpha1, for the names that
// stand in lists; what is not known to be elsewhere is at the same place.
func BetaPath(path string, a any) string {
	switch object := a.(type) {
	case *v1alpha1.DynamoGraphDeployment:
		if match := servicePath.FindStringSubmatch(path); match != nil {
			component := "spec.components[name=" + match[1] + "]"
			return component + betaField(match[2], service(object.Spec.Services, match[1]))
		}
		if rest, found := strings.CutPrefix(path, "spec.services"); found && rest == "" {
			return "spec.components"
		}
		return strings.Replace(path, "spec.envs", "spec.env", 1)
	case *v1alpha1.DynamoComponentDeployment:
		if rest, found := strings.CutPrefix(path, "spec."); found {
			return "spec" + betaField("."+rest, &object.Spec.DynamoComponentDeploymentSharedSpec)
		}
	case *v1alpha1.DynamoGraphDeploymentScalingAdapter:
		return strings.Replace(path, "spec.dgdRef.serviceName", "spec.dgdRef.componentName", 1)
	case *v1alpha1.DynamoGraphDeploymentRequest:
		return betaRequestPath(path)
	}
	return path
}

var servicePath = regexp.MustCompile(`^spec\.services\[([^\]]+)\](.*)$`)

const mainPath = ".podTemplate.spec.containers[name=main]"

// moved are fields of a service by what they begin with, and where they are in a component.
var moved = []struct{ from, to string }{
	{".extraPodSpec.mainContainer", mainPath},
	{".extraPodSpec.", ".podTemplate.spec."},
	{".extraPodSpec", ".podTemplate.spec"},
	{".extraPodMetadata", ".podTemplate.metadata"},
	{".envFromSecret", mainPath + ".envFrom"},
	{".envs", mainPath + ".env"},
	{".livenessProbe", mainPath + ".livenessProbe"},
	{".readinessProbe", mainPath + ".readinessProbe"},
	{".resources", mainPath + ".resources"},
	{".sharedMemory", ".sharedMemorySize"},
	{".componentType", ".type"},
	{".subComponentType", ".type"},
	{".serviceName", ".name"},
	{".checkpoint", ".experimental.checkpoint"},
	{".annotations[" + v1alpha1.AnnotationFrontendSidecar + "]", ".frontendSidecar"},
	{".annotations[" + v1alpha1.AnnotationMinAvailable + "]", ".minAvailable"},
}

// listed is an item of one of the pod's lists, of which v1beta1 speaks by name.
var listed = regexp.MustCompile(`^\.extraPodSpec\.(containers|initContainers|volumes)\[(\d+)\](.*)$`)

func betaField(field string, s *alphaSpec) string {
	if match := listed.FindStringSubmatch(field); match != nil {
		index, err := strconv.Atoi(match[2])
		if name := nameIn(s, match[1], index); err == nil && name != "" {
			return ".podTemplate.spec." + match[1] + "[name=" + name + "]" + match[3]
		}
	}
	if strings.HasPrefix(field, ".volumeMounts") {
		if betaCache(s.VolumeMounts) != nil && len(s.VolumeMounts) == 1 {
			return ".compilationCache"
		}
		return mainPath + ".volumeMounts"
	}
	for _, m := range moved {
		if rest, found := strings.CutPrefix(field, m.from); found {
			if m.to == ".sharedMemorySize" {
				rest = ""
			}
			return m.to + rest
		}
	}
	return field
}

func nameIn(s *alphaSpec, list string, index int) string {
	if s.ExtraPodSpec == nil || s.ExtraPodSpec.PodSpec == nil {
		return ""
	}
	var names []string
	switch list {
	case "containers":
		for _, c := range s.ExtraPodSpec.Containers {
			names = append(names, c.Name)
		}
	case "initContainers":
		for _, c := range s.ExtraPodSpec.InitContainers {
			names = append(names, c.Name)
		}
	case "volumes":
		for _, v := range s.ExtraPodSpec.Volumes {
			names = append(names, v.Name)
		}
	}
	if index >= len(names) {
		return ""
	}
	return names[index]
}

func betaRequestPath(path string) string {
	for from, to := range map[string]string{
		"spec.profilingConfig.profilerImage": "spec.image",
		"spec.profilingConfig.resources":     "spec.overrides.profilingJob.template.spec.containers[name=profiler].resources",
		"spec.profilingConfig.tolerations":   "spec.overrides.profilingJob.template.spec.tolerations",
		"spec.profilingConfig.nodeSelector":  "spec.overrides.profilingJob.template.spec.nodeSelector",
		"spec.deploymentOverrides.dgd":       "spec.overrides.dgd",
		"spec.useMocker":                     "spec.features.mocker.enabled",
	} {
		if rest, found := strings.CutPrefix(path, from); found {
			return to + rest
		}
	}
	steps, found := strings.CutPrefix(path, "spec.profilingConfig.config.")
	if !found {
		return path
	}
	for _, entry := range typedConfig {
		if slices.Equal(strings.Split(steps, "."), entry.config) {
			return "spec." + strings.Join(entry.beta, ".")
		}
	}
	return path
}

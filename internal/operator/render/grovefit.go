package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
)

// longestGroveName is how long the names of a graph, of a scaling group and of a
// clique may be together: Grove makes the names of pods of them.
const longestGroveName = 45

// fitsGrove returns why Grove cannot run a graph, nil if it can. Grove would say
// so itself, of a field that the graph's author has not written.
func fitsGrove(dgd *v1alpha1.DynamoGraphDeployment) error {
	cliques, schedulers := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		if err := serviceFitsGrove(dgd, name, service); err != nil {
			return err
		}
		for _, clique := range cliquesOf(name, service) {
			if other, taken := cliques[clique]; taken {
				return unfit(name, "is called %s in Grove, as service %s is", clique, other)
			}
			cliques[clique] = name
		}
		schedulers[schedulerOf(service)] = name
	}
	if len(schedulers) > 1 {
		names := slices.Sorted(maps.Keys(schedulers))
		return unfit(schedulers[names[0]], "has another scheduler than service %s: Grove takes one schedulerName for the whole graph", schedulers[names[1]])
	}
	return nil
}

func serviceFitsGrove(dgd *v1alpha1.DynamoGraphDeployment, name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec) error {
	group := service.NodeCount() > 1
	for _, clique := range cliquesOf(name, service) {
		length := len(dgd.Name) + len(clique)
		if group {
			length += len(name)
		}
		if length > longestGroveName {
			return unfit(name, "its pods would have names that are %d characters too long: shorten its name or the graph's", length-longestGroveName)
		}
	}
	if name == "0" {
		return unfit(name, "its Service would have the name of Grove's own")
	}
	if service.Checkpoint != nil && service.Checkpoint.Enabled {
		return unfit(name, "checkpoint.enabled is for Deployments: pods of a clique do not start from checkpoints")
	}
	if service.DesiredReplicas() < 1 {
		return unfit(name, "replicas is 0, and Grove keeps at least 1")
	}
	if service.ExtraPodSpec != nil && service.ExtraPodSpec.PodSpec != nil {
		switch pod := service.ExtraPodSpec.PodSpec; {
		case len(pod.TopologySpreadConstraints) > 0:
			return unfit(name, "extraPodSpec.topologySpreadConstraints is not taken by Grove")
		case pod.NodeName != "":
			return unfit(name, "extraPodSpec.nodeName is not taken by Grove")
		}
	}
	if !group {
		return nil
	}
	if _, err := launched(dgd.Spec.BackendFramework, service, inGrove(strings.ToLower(name))); err != nil {
		return unfit(name, "%w", err)
	}
	return nil
}

func cliquesOf(name string, service *v1alpha1.DynamoComponentDeploymentSharedSpec) []string {
	name = strings.ToLower(name)
	if service.NodeCount() > 1 {
		return []string{name, leaderClique(name), workerClique(name)}
	}
	return []string{name}
}

func schedulerOf(service *v1alpha1.DynamoComponentDeploymentSharedSpec) string {
	if service.ExtraPodSpec == nil || service.ExtraPodSpec.PodSpec == nil || leavesToKAI(service.ExtraPodSpec.SchedulerName) {
		return ""
	}
	return service.ExtraPodSpec.SchedulerName
}

func unfit(service, format string, args ...any) error {
	return &UnsupportedError{Service: service, Need: fmt.Errorf(format, args...).Error()}
}

// Fixed returns what a change of a graph would change of its PodCliqueSet that
// Grove lets nobody change, nil if there is nothing.
func Fixed(live, wanted *grove.PodCliqueSet) error {
	type role struct {
		name         string
		minAvailable int32
		startsAfter  string
	}
	roles := func(set *grove.PodCliqueSet) (roles []role) {
		for _, c := range set.Spec.Template.Cliques {
			roles = append(roles, role{c.Name, c.Spec.MinAvailable, strings.Join(c.Spec.StartsAfter, " ")})
		}
		return roles
	}
	if slices.Equal(roles(live), roles(wanted)) && live.Spec.Template.StartupType == wanted.Spec.Template.StartupType {
		return nil
	}
	return errors.New("Grove lets nobody change which services a graph has, over how many nodes they run, and in which order they start: " +
		"take the change back, delete the graph and create it anew, or set the annotation " + v1alpha1.AnnotationEnableGrove + `: "false"`)
}

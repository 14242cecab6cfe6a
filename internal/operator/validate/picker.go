package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// endpointPicker checks a service of type epp by itself.
func endpointPicker(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	if s.ComponentType != v1alpha1.ComponentTypeEPP {
		return nil
	}
	var errs field.ErrorList
	if s.NodeCount() > 1 {
		errs = append(errs, field.Forbidden(path.Child("multinode"), "an endpoint picker runs on one node"))
	}
	if s.DesiredReplicas() != 1 {
		errs = append(errs, field.Invalid(path.Child("replicas"), s.DesiredReplicas(), "an endpoint picker has exactly 1 replica"))
	}
	at := path.Child("eppConfig")
	switch c := s.EPPConfig; {
	case c == nil:
		errs = append(errs, field.Required(at, "an endpoint picker needs its configuration"))
	case (c.Config == nil) == (c.ConfigMapRef == nil):
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, "exactly one of config and configMapRef must be set"))
	case c.ConfigMapRef != nil && c.ConfigMapRef.Name == "":
		errs = append(errs, field.Required(at.Child("configMapRef", "name"), "name the ConfigMap"))
	case c.ConfigMapRef != nil && c.ConfigMapRef.Key == "":
		errs = append(errs, field.Required(at.Child("configMapRef", "key"), "name the key that has the configuration file"))
	case c.Config != nil:
		errs = append(errs, pickerConfig(at.Child("config"), c.Config.Raw)...)
	}
	return errs
}

// pickerConfig finds what any version of the endpoint picker ends of at its start.
// Which plug-ins there are, and what parameters they take, its image decides.
func pickerConfig(path *field.Path, raw []byte) field.ErrorList {
	var config struct {
		Kind    string
		Plugins []struct{ Name, Type string }
		// Profiles may be none: the picker then makes one of all plug-ins.
		SchedulingProfiles []struct {
			Name    string
			Plugins []struct{ PluginRef string }
		}
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	var errs field.ErrorList
	if config.Kind != "" && config.Kind != "EndpointPickerConfig" {
		errs = append(errs, field.NotSupported(path.Child("kind"), config.Kind, []string{"EndpointPickerConfig"}))
	}
	plugins, profiles := map[string]bool{}, map[string]bool{}
	for i, plugin := range config.Plugins {
		name, at := plugin.Name, path.Child("plugins").Index(i).Child("name")
		if name == "" {
			name, at = plugin.Type, path.Child("plugins").Index(i).Child("type")
		}
		if plugins[name] {
			errs = append(errs, field.Duplicate(at, name))
		}
		plugins[name] = true
	}
	known := strings.Join(slices.Sorted(maps.Keys(plugins)), ", ")
	for i, profile := range config.SchedulingProfiles {
		at := path.Child("schedulingProfiles").Index(i)
		if profiles[profile.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), profile.Name))
		}
		profiles[profile.Name] = true
		for j, plugin := range profile.Plugins {
			if !plugins[plugin.PluginRef] {
				errs = append(errs, field.Invalid(at.Child("plugins").Index(j).Child("pluginRef"), plugin.PluginRef, "is none of the plugins, which are "+known))
			}
		}
	}
	return errs
}

// graphPicker checks what the services of a graph must agree on where one is an
// endpoint picker.
func graphPicker(path *field.Path, dgd *v1alpha1.DynamoGraphDeployment) (errs field.ErrorList, warnings []string) {
	var first, frontend string
	var port int32
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		service := dgd.Spec.Services[name]
		switch {
		case service == nil || service.ComponentType != v1alpha1.ComponentTypeEPP:
		case first == "":
			first = name
		default:
			errs = append(errs, field.Forbidden(path.Key(name), fmt.Sprintf("service %s is an endpoint picker already, and a graph has one", first)))
		}
	}
	if first == "" {
		return nil, nil
	}
	for _, name := range render.Picked(dgd) {
		service := dgd.Spec.Services[name]
		listens, err := render.FrontendPort(service, dgd.Spec.Envs)
		switch {
		case err != nil: // said of the service
		case frontend == "":
			frontend, port = name, listens
		case listens != port:
			errs = append(errs, field.Invalid(path.Key(name), field.OmitValueType{},
				fmt.Sprintf("listens on port %d and service %s on %d: the frontends that an endpoint picker picks from listen on one port", listens, frontend, port)))
		case render.LogicalNamespace(dgd, service) != render.LogicalNamespace(dgd, dgd.Spec.Services[frontend]):
			errs = append(errs, field.Invalid(path.Key(name).Child("globalDynamoNamespace"), service.GlobalDynamoNamespace,
				fmt.Sprintf("differs from that of service %s: an endpoint picker picks from frontends in one logical namespace", frontend)))
		}
	}
	if frontend == "" {
		warnings = append(warnings, fmt.Sprintf("%s: the endpoint picker picks from the frontends of its graph, or from workers with a frontend of their own, and the graph has neither", path.Key(first)))
	}
	return errs, warnings
}

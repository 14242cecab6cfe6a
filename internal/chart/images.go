package chart

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/yaml"
)

// Images lists the container images that the objects and hooks run, sorted:
// those of containers, and what other fields name by the rules of docs/images.md.
func (r *Rendered) Images() ([]string, error) {
	found, err := r.findImages()
	return slices.Sorted(maps.Keys(found.images)), err
}

// UnknownImages names the places where something else decides on an image, so
// that nobody can list it from here.
func (r *Rendered) UnknownImages() ([]string, error) {
	found, err := r.findImages()
	return slices.Sorted(maps.Keys(found.unknown)), err
}

// RunImages lists those of Images that containers of the objects and hooks run.
// The others are for programs that may use them, or not.
func (r *Rendered) RunImages() ([]string, error) {
	found, err := r.findImages()
	return slices.Sorted(maps.Keys(found.run)), err
}

// AllImages lists those of Images, and those of RunImages.
func (r *Rendered) AllImages() ([]string, error) {
	found, err := r.findImages()
	maps.Copy(found.images, found.run)
	return slices.Sorted(maps.Keys(found.images)), err
}

type imageSearch struct{ images, run, unknown map[string]bool }

func (r *Rendered) findImages() (imageSearch, error) {
	s := imageSearch{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, o := range slices.Concat(r.Objects, r.Hooks) {
		if o.Kind == "CustomResourceDefinition" {
			continue // describes fields and has none
		}
		var content map[string]any
		if err := o.Read(&content); err != nil {
			return s, fmt.Errorf("%s: %w", o, err)
		}
		s.walk(o.String()+": ", content)
		if o.Kind == "ConfigMap" {
			s.configMap(o.String()+": data.", content["data"])
		}
	}
	return s, nil
}

// walk looks at a mapping or a list, and all below.
func (s imageSearch) walk(at string, v any) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			s.argument(at, item)
			s.walk(fmt.Sprintf("%s[%d].", strings.TrimSuffix(at, "."), i), item)
		}
	case map[string]any:
		s.variable(at, v)
		for _, list := range []string{"containers", "initContainers"} {
			s.containers(v[list])
		}
		for key, field := range v {
			place := at + key
			if strings.HasSuffix(strings.ToLower(key), "image") && s.field(place, field) {
				continue
			}
			s.walk(strings.TrimSuffix(place, ".")+".", field)
		}
	}
}

func (s imageSearch) containers(list any) {
	containers, _ := list.([]any)
	for _, c := range containers {
		container, _ := c.(map[string]any)
		if image, ok := container["image"].(string); ok && image != "" {
			s.run[image] = true
		}
	}
}

// field is about image: TEXT, and image: {registry, repository, name, tag, digest}.
func (s imageSearch) field(at string, v any) (taken bool) {
	switch v := v.(type) {
	case string:
		if _, err := name.ParseReference(v); err == nil {
			s.images[v] = true
		}
		return true
	case map[string]any:
		parts := map[string]string{}
		for _, key := range []string{"registry", "repository", "name", "tag", "digest", "reference"} {
			parts[key], _ = v[key].(string)
		}
		path := strings.Join(slices.DeleteFunc([]string{parts["registry"], parts["repository"], parts["name"]}, func(p string) bool { return p == "" }), "/")
		switch {
		case parts["reference"] != "": // an image that is mounted
			return s.field(at, parts["reference"])
		case path == "":
			return false
		case parts["repository"] == "" || parts["tag"] == "" && parts["digest"] == "":
			s.unknown[fmt.Sprintf("%s is %s, and the rest is not said", at, path)] = true
		case parts["digest"] != "":
			return s.field(at, path+"@"+parts["digest"])
		default:
			return s.field(at, path+":"+parts["tag"])
		}
		return true
	}
	return false
}

var (
	imageVariable = regexp.MustCompile(`(?i)(^|[_.-])image(_?(name|ref|uri|url))?$`)
	imageArgument = regexp.MustCompile(`(?i)^--?[a-z0-9.-]*image=(.+)$`)
)

// variable is about an environment variable whose name ends with IMAGE.
func (s imageSearch) variable(at string, v map[string]any) {
	variable, _ := v["name"].(string)
	if !imageVariable.MatchString(variable) {
		return
	}
	if value, ok := v["value"].(string); ok {
		s.text(at+variable, value)
	} else if v["valueFrom"] != nil {
		s.unknown[fmt.Sprintf("%s%s comes from elsewhere", at, variable)] = true
	}
}

// argument is about --some-image=TEXT.
func (s imageSearch) argument(at string, v any) {
	text, _ := v.(string)
	if m := imageArgument.FindStringSubmatch(text); m != nil {
		s.text(strings.TrimSuffix(at, "."), m[1])
	}
}

// text may only be part of an image's name: a program may add the tag.
func (s imageSearch) text(at, value string) {
	ref, err := name.ParseReference(value)
	switch {
	case err != nil:
	case strings.HasSuffix(value, ref.Identifier()):
		s.images[value] = true
	default:
		s.unknown[fmt.Sprintf("%s is %s, and the rest is not said", at, value)] = true
	}
}

// configMap looks into files of YAML or JSON, and at entries named like images.
func (s imageSearch) configMap(at string, data any) {
	entries, _ := data.(map[string]any)
	for key, entry := range entries {
		text, _ := entry.(string)
		if imageVariable.MatchString(key) {
			s.text(at+key, text)
			continue
		}
		var content map[string]any
		if err := yaml.Unmarshal([]byte(text), &content); err == nil {
			s.walk(at+key+": ", content)
		}
	}
}

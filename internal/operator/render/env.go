package render

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// mergeEnv joins layers of variables, weakest first. Each name occurs once, at
// the place and with the value of its strongest layer.
func mergeEnv(layers ...[]corev1.EnvVar) []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, layer := range layers {
		all = append(all, layer...)
	}
	last := make(map[string]int, len(all))
	for i, v := range all {
		last[v.Name] = i
	}
	var merged []corev1.EnvVar
	for i, v := range all {
		if last[v.Name] == i {
			merged = append(merged, v)
		}
	}
	return definedBeforeUse(merged)
}

// The kubelet expands $(NAME), but not $$(NAME), and only with variables that
// come earlier in the list.
var reference = regexp.MustCompile(`\$?\$\(([-._a-zA-Z0-9]+)\)`)

// definedBeforeUse keeps the given order but moves a variable in front of the
// first one that refers to it: merging may have torn a chain apart.
func definedBeforeUse(vars []corev1.EnvVar) []corev1.EnvVar {
	byName := make(map[string]corev1.EnvVar, len(vars))
	for _, v := range vars {
		byName[v.Name] = v
	}
	ordered := make([]corev1.EnvVar, 0, len(vars))
	seen := make(map[string]bool, len(vars))
	var place func(v corev1.EnvVar)
	place = func(v corev1.EnvVar) {
		if seen[v.Name] {
			return // placed already, or part of a circle, which stays as written
		}
		seen[v.Name] = true
		for _, match := range references(v.Value) {
			used, defined := byName[match[1]]
			if escaped := match[0][1] == '$'; defined && !escaped {
				place(used)
			}
		}
		ordered = append(ordered, v)
	}
	for _, v := range vars {
		place(v)
	}
	return ordered
}

// references are the matches in a value, which may be long and seldom has any.
func references(value string) [][]string {
	if !strings.Contains(value, "$(") {
		return nil
	}
	return reference.FindAllStringSubmatch(value, -1)
}

func fromField(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
	}}
}

// environment is everything that the operator itself tells the main container.
func (c *component) environment(port int32) []corev1.EnvVar {
	env := []corev1.EnvVar{
		fromField("POD_NAME", "metadata.name"),
		fromField("POD_NAMESPACE", "metadata.namespace"),
		fromField("POD_UID", "metadata.uid"),
	}
	add := func(name, value string) {
		if value != "" {
			env = append(env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	add("DYN_NAMESPACE", c.logicalNamespace)
	add("DYN_COMPONENT", c.spec.ComponentType)
	if c.graph != "" {
		add("DYN_PARENT_DGD_K8S_NAME", c.graph)
		add("DYN_PARENT_DGD_K8S_NAMESPACE", c.object.Namespace)
	}
	// The runtime takes an absent variable for etcd.
	if c.usesKubernetesDiscovery() {
		add("DYN_DISCOVERY_BACKEND", c.discovery)
	}
	env = append(env, c.messaging()...)
	add("ETCD_ENDPOINTS", c.config.Infrastructure.EtcdAddress)
	add("MODEL_EXPRESS_URL", c.config.Infrastructure.ModelExpressURL)
	add("PROMETHEUS_ENDPOINT", c.config.Infrastructure.PrometheusEndpoint)
	if c.kind.env != nil {
		env = append(env, c.kind.env(port)...)
	}
	if cache := c.compilationCache(); cache != "" {
		add("VLLM_CACHE_ROOT", cache)
	}
	return env
}

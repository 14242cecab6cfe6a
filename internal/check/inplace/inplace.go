// Package inplace knows which fields of an object the API server lets nobody change,
// so that only another object of the same name can have them otherwise, and what it
// interrupts to put that one into its place.
package inplace

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Field is a field that cannot change in place.
type Field struct {
	// Path is as `kubectl explain` writes paths, with items of lists by name.
	Path string `json:"path"`
	// Old and New are nil where an object does not have the field.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
}

// Growth is a volume that every pod of a StatefulSet has, and how big it gets.
type Growth struct {
	Template string `json:"template"`
	Old      string `json:"old"`
	New      string `json:"new"`
}

// Change is a change that cannot be made in place.
type Change struct {
	Fields []Field `json:"fields"`
	// Interrupts says what stops while the object is replaced.
	Interrupts string `json:"interrupts,omitempty"`
	// PodsStay says that the pods of the object go on, and belong to the new one.
	PodsStay bool `json:"podsStay,omitempty"`
	// Grows are volumes whose claims get bigger.
	Grows []Growth `json:"grows,omitempty"`
	// Never says why the object must not be replaced; empty if it may.
	Never string `json:"never,omitempty"`
}

// Of compares an object as it is with what it should be. Named are the fields of
// which the API server said that they cannot change: they count where the kind is
// not known here.
func Of(live, desired map[string]any, named ...string) Change {
	kind, _ := live["kind"].(string)
	var c Change
	for _, f := range fixed[kind] {
		now, then := at(live, f.path), at(desired, f.path)
		if then == nil && now != nil && f.unset != nil {
			then = f.unset
		}
		c.Fields = append(c.Fields, differences(f.path, now, then, f.whole)...)
	}
	for i := 0; len(c.Fields) == 0 && i < len(named); i++ {
		c.Fields = append(c.Fields, Field{Path: named[i], Old: at(live, named[i]), New: at(desired, named[i])})
	}
	c.PodsStay = kind == "StatefulSet" && !slices.ContainsFunc(c.Fields, func(f Field) bool { return !unseenByPods.MatchString(f.Path) })
	c.Never, c.Interrupts = Never(kind), c.interrupts(kind, live)
	if kind == "StatefulSet" {
		c.volumes(live)
	}
	return c
}

// Never says why objects of a kind are not replaced, whoever asks for it; empty if
// they may be.
func Never(kind string) string {
	switch kind {
	case "PersistentVolumeClaim", "PersistentVolume":
		return "its data would be lost"
	case "Namespace":
		return "everything in it would be deleted"
	case "CustomResourceDefinition":
		return "all objects of its kind would be deleted"
	default:
		return ""
	}
}

// Kept is what an object should be, but for the fields that cannot change: those
// are as they are.
func Kept(live, desired map[string]any) map[string]any {
	kind, _ := live["kind"].(string)
	spec, now := map[string]any{}, at(live, "spec")
	if given, ok := desired["spec"].(map[string]any); ok {
		for key, value := range given {
			spec[key] = value
		}
	}
	for _, f := range fixed[kind] {
		if key, inSpec := strings.CutPrefix(f.path, "spec."); inSpec {
			delete(spec, key)
			if value := at(now, key); value != nil {
				spec[key] = value
			}
		}
	}
	out := map[string]any{}
	for key, value := range desired {
		out[key] = value
	}
	out["spec"] = spec
	return out
}

// rule is a part of a kind that cannot change.
type rule struct {
	path string
	// whole says that the API server fills in nothing there but what filledIn names,
	// so what only the live object has was taken out.
	whole bool
	// unset is what the API server takes where nothing is given.
	unset any
}

var (
	selector = rule{path: "spec.selector", whole: true}
	roleRef  = rule{path: "roleRef", whole: true}
	content  = []rule{{path: "immutable", whole: true}, {path: "data", whole: true}, {path: "binaryData", whole: true}}
)

// fixed are the parts of the kinds that charts render. Others are what the API
// server names.
var fixed = map[string][]rule{
	"Deployment": {selector},
	"ReplicaSet": {selector},
	"DaemonSet":  {selector},
	"StatefulSet": {
		selector, {path: "spec.serviceName", whole: true}, {path: "spec.podManagementPolicy", unset: "OrderedReady"},
		{path: "spec.volumeClaimTemplates", whole: true},
	},
	"Job": {
		{path: "spec.selector"}, {path: "spec.completionMode", unset: "NonIndexed"}, {path: "spec.completions"}, {path: "spec.podFailurePolicy"},
		{path: "spec.backoffLimitPerIndex"}, {path: "spec.template"},
	},
	"RoleBinding":        {roleRef},
	"ClusterRoleBinding": {roleRef},
	"Service":            {{path: "spec.clusterIP"}, {path: "spec.clusterIPs"}, {path: "spec.loadBalancerClass", whole: true}},
	"ConfigMap":          content,
	"Secret":             slices.Concat([]rule{{path: "type", unset: "Opaque"}}, content),
	"StorageClass":       {{path: "provisioner"}, {path: "parameters", whole: true}, {path: "reclaimPolicy", unset: "Delete"}, {path: "volumeBindingMode", unset: "Immediate"}},
	"PriorityClass":      {{path: "value"}, {path: "preemptionPolicy", unset: "PreemptLowerPriority"}},
}

// filledIn are the keys that the API server writes into what is else as it was given.
var filledIn = []string{"apiVersion", "kind", "status", "volumeMode", "creationTimestamp"}

var (
	// unseenByPods are fields of StatefulSets that its pods, once they run, do not
	// depend on: what their volumes were made from, and in which order they start.
	unseenByPods = regexp.MustCompile(`^spec\.(podManagementPolicy|volumeClaimTemplates\[[^\]]+\]\..+)$`)
	sizeOfClaims = regexp.MustCompile(`^spec\.volumeClaimTemplates\[([^\]]+)\]\.spec\.resources\.requests\.storage$`)
)

// volumes adds what a change of a StatefulSet means for its volumes.
func (c *Change) volumes(live map[string]any) {
	others := false
	for _, f := range c.Fields {
		m := sizeOfClaims.FindStringSubmatch(f.Path)
		if m == nil {
			others = others || strings.HasPrefix(f.Path, "spec.volumeClaimTemplates")
			continue
		}
		old, next := fmt.Sprint(f.Old), fmt.Sprint(f.New)
		if order, known := compare(old, next); !known || order > 0 {
			c.Never = "a volume does not become smaller: keep the size, or copy the data to a release of another name"
		}
		c.Grows = append(c.Grows, Growth{Template: m[1], Old: old, New: next})
	}
	policy, _ := at(live, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted").(string)
	switch {
	case !c.PodsStay && policy == "Delete":
		c.Never = "its volumes would be deleted with it, as its persistentVolumeClaimRetentionPolicy says: apply whenDeleted: Retain first"
	case c.PodsStay && others:
		c.Interrupts += "; volumes that exist stay as they are, others are made like this"
	}
}

func (c *Change) interrupts(kind string, live map[string]any) string {
	pods := "its pods are"
	if n, known := at(live, "spec.replicas").(int64); known && n != 1 {
		pods = fmt.Sprintf("its %d pods are", n)
	} else if known {
		pods = "its pod is"
	}
	switch {
	case c.PodsStay:
		return "its pods run on"
	case kind == "StatefulSet":
		return pods + " deleted, and made anew with the volumes that they have"
	case kind == "Deployment" || kind == "DaemonSet" || kind == "ReplicaSet":
		return pods + " deleted, and others are made; nothing answers meanwhile"
	case kind == "Job":
		return pods + " deleted, and it runs once more"
	case kind == "RoleBinding" || kind == "ClusterRoleBinding":
		return "for a moment its subjects lack these rights"
	case kind == "Service":
		return "its connections break, and its addresses may become others"
	case kind == "ConfigMap" || kind == "Secret":
		return "pods keep what they have read of it until they restart; those that start in that moment wait for it"
	case kind == "StorageClass":
		return "volumes stay as they are; claims that are made in that moment wait for it"
	default:
		return "for a moment it does not exist, and what it owns goes with it"
	}
}

// differences lists the fields at and below a path that are not as they should be.
func differences(path string, live, desired any, whole bool) (out []Field) {
	if desired == nil && (live == nil || !whole) || live == nil && empty(desired) {
		return nil
	}
	switch then := desired.(type) {
	case map[string]any:
		now, ok := live.(map[string]any)
		if !ok {
			break
		}
		for _, key := range keys(now, then) {
			if _, asked := then[key]; asked || whole && !slices.Contains(filledIn, key) {
				out = append(out, differences(below(path, key), now[key], then[key], whole)...)
			}
		}
		return out
	case []any:
		now, ok := live.([]any)
		if !ok || !alike(now, then) {
			break
		}
		for i, item := range then {
			name := nameOf(item)
			here := slices.IndexFunc(now, func(other any) bool { return nameOf(other) == name })
			if name == "" {
				name, here = fmt.Sprint(i), i
			}
			out = append(out, differences(path+"["+name+"]", now[here], item, whole)...)
		}
		return out
	default:
		if equal(path, live, desired) {
			return nil
		}
	}
	return []Field{{Path: path, Old: live, New: desired}}
}

// alike reports whether two lists have the same items by name, or as many without.
func alike(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	return !slices.ContainsFunc(b, func(item any) bool {
		return !slices.ContainsFunc(a, func(other any) bool { return nameOf(other) == nameOf(item) })
	})
}

func nameOf(item any) string {
	for _, path := range []string{"metadata.name", "name"} {
		if name, ok := at(item, path).(string); ok {
			return name
		}
	}
	return ""
}

// equal compares what is no list or mapping. Quantities may be written in several ways.
func equal(path string, a, b any) bool {
	if order, known := compare(fmt.Sprint(a), fmt.Sprint(b)); known && strings.Contains(path, ".resources.") {
		return order == 0
	}
	return a != nil && b != nil && fmt.Sprint(a) == fmt.Sprint(b)
}

// compare tells which of two quantities is greater, if both are some.
func compare(a, b string) (order int, known bool) {
	first, err := resource.ParseQuantity(a)
	second, other := resource.ParseQuantity(b)
	if err != nil || other != nil {
		return 0, false
	}
	return first.Cmp(second), true
}

func empty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	default:
		return v == nil || v == false
	}
}

func keys(a, b map[string]any) (out []string) {
	for _, m := range []map[string]any{a, b} {
		for key := range m {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func below(path, key string) string {
	if strings.ContainsAny(key, ".[") {
		return path + "[" + key + "]"
	}
	return path + "." + key
}

// at follows the keys of a path; what is in brackets is an index or a name.
func at(node any, path string) any {
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		switch v := node.(type) {
		case map[string]any:
			node = v[step]
		case []any:
			i := slices.IndexFunc(v, func(item any) bool { return nameOf(item) == step })
			if n := 0; i < 0 {
				if _, err := fmt.Sscan(step, &n); err != nil || n < 0 || n >= len(v) {
					return nil
				}
				i = n
			}
			node = v[i]
		default:
			return nil
		}
	}
	return node
}

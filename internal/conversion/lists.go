package conversion

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Same takes absent for empty in lists and maps, as JSON with omitempty does, and 1000m for 1.
func Same(a, b any) bool { return equality.Semantic.DeepEqual(a, b) }

func same(a, b any) bool { return Same(a, b) }

func zero[T any](value T) bool {
	var empty T
	return same(value, empty)
}

// The keys of Kubernetes' lists.
func envKey(v corev1.EnvVar) string          { return v.Name }
func mountKey(m corev1.VolumeMount) string   { return m.MountPath }
func volumeKey(v corev1.Volume) string       { return v.Name }
func claimKey(c corev1.ResourceClaim) string { return c.Name + "/" + c.Request }
func containerKey(c corev1.Container) string { return c.Name }
func has[T any](list []T, key func(T) string, wanted string) bool {
	return find(list, key, wanted) >= 0
}

func find[T any](list []T, key func(T) string, wanted string) int {
	return slices.IndexFunc(list, func(item T) bool { return key(item) == wanted })
}

// unite joins layers, weakest first: each key occurs once, where and as its strongest layer has it.
func unite[T any](key func(T) string, layers ...[]T) []T {
	all := slices.Concat(layers...)
	last := make(map[string]int, len(all))
	for i, item := range all {
		last[key(item)] = i
	}
	var united []T
	for i, item := range all {
		if last[key(item)] == i {
			united = append(united, item)
		}
	}
	return united
}

// missing are the items of a list whose keys another one lacks, each key once.
func missing[T any](list, in []T, key func(T) string) []T {
	var out []T
	for _, item := range unite(key, list) {
		if !has(in, key, key(item)) {
			out = append(out, item)
		}
	}
	return out
}

// arrange puts a list into the order of another one's keys; what that lacks comes last.
func arrange[T any](list, order []T, key func(T) string) []T {
	place := make(map[string]int, len(order))
	for i, item := range order {
		place[key(item)] = i + 1
	}
	rank := func(item T) int { return cmp.Or(place[key(item)], len(order)+1) }
	arranged := slices.Clone(list)
	slices.SortStableFunc(arranged, func(a, b T) int { return cmp.Compare(rank(a), rank(b)) })
	return arranged
}

// order are the bare keys of a list, nil where another list of the same items has their order anyway.
func order[T any](list, anyway []T, key func(T) string, bare func(T) T) []T {
	if slices.EqualFunc(list, anyway, func(a, b T) bool { return key(a) == key(b) }) {
		return nil
	}
	var keys []T
	for _, item := range list {
		keys = append(keys, bare(item))
	}
	return keys
}

func sorted[T any](list []T, key func(T) string) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return list
}

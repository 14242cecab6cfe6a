// Package v1beta1 holds the kinds of the API group nvidia.com, version v1beta1: the graph, its
// components, their scaling adapters, and requests. Objects are stored in v1alpha1, into which and
// out of which internal/conversion turns them.
//
// The types, their defaults and their validation are the single source of the second version in the
// CustomResourceDefinitions; run `make generate` after a change. The first sentences of every comment
// on a field are what `kubectl explain` shows.
//
// +kubebuilder:object:generate=true
// +groupName=nvidia.com
package v1beta1

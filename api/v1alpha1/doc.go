// Package v1alpha1 holds the kinds of the API group nvidia.com, version v1alpha1.
//
// The types, their defaults and their validation are the single source of the
// CustomResourceDefinitions in charts/crds; run `make generate` after a change.
// The first sentences of every comment on a field are what `kubectl explain` shows.
//
// +kubebuilder:object:generate=true
// +groupName=nvidia.com
package v1alpha1

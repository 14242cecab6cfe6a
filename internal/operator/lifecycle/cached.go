package lifecycle

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Ours limits a cache to what the operator made.
func Ours() cache.ByObject {
	return cache.ByObject{Label: labels.SelectorFromSet(labels.Set{render.ManagedByLabel: render.Manager})}
}

// Labelled limits a cache to objects that have a label, whatever its value.
func Labelled(key string) cache.ByObject {
	requirement, err := labels.NewRequirement(key, selection.Exists, nil)
	if err != nil {
		return cache.ByObject{Label: labels.Nothing()}
	}
	return cache.ByObject{Label: labels.NewSelector().Add(*requirement)}
}

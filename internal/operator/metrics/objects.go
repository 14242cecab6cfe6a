package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	total = prometheus.NewDesc(prefix+"resources_total", "How many objects there are, by their state.",
		[]string{"resource_type", "namespace", "status"}, nil)
	byReason = prometheus.NewDesc(prefix+"resources_by_reason", "How many objects there are, by their state and the reason that they give for it.",
		[]string{"resource_type", "namespace", "status", "reason"}, nil)
)

// patience is how long a scrape waits for a cache that is not filled yet: one of a
// kind that the cluster has lost never is.
const patience = 5 * time.Second

// Source is a kind whose objects are counted.
type Source struct {
	// Kind as in manifests.
	Kind string
	// List is an empty list of it.
	List client.ObjectList
	// State is an object's state and the reason for it, in a word each.
	State func(client.Object) (state, reason string)
}

// objects counts them when they are asked for, from the operator's cache.
var objects = &counted{}

type counted struct {
	mu      sync.Mutex
	reader  client.Reader
	sources []Source
}

// Count has the objects of the kinds counted, in the place of those of an earlier
// call.
func Count(reader client.Reader, sources []Source) {
	objects.mu.Lock()
	defer objects.mu.Unlock()
	objects.reader, objects.sources = reader, sources
}

// Describe implements prometheus.Collector.
func (c *counted) Describe(out chan<- *prometheus.Desc) { out <- total; out <- byReason }

// key is what objects are counted by.
type key struct{ kind, namespace, state, reason string }

// Collect implements prometheus.Collector. A kind that cannot be listed is left
// out: that shows elsewhere.
func (c *counted) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	reader, sources := c.reader, c.sources
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	states, reasons := map[key]int{}, map[key]int{}
	for _, source := range sources {
		list := source.List.DeepCopyObject().(client.ObjectList)
		if reader.List(ctx, list, client.UnsafeDisableDeepCopy) != nil {
			continue
		}
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok {
				return nil
			}
			state, reason := source.State(object)
			states[key{source.Kind, object.GetNamespace(), state, ""}]++
			reasons[key{source.Kind, object.GetNamespace(), state, reason}]++
			return nil
		})
	}
	for k, n := range states {
		out <- prometheus.MustNewConstMetric(total, prometheus.GaugeValue, float64(n), k.kind, k.namespace, k.state)
	}
	for k, n := range reasons {
		out <- prometheus.MustNewConstMetric(byReason, prometheus.GaugeValue, float64(n), k.kind, k.namespace, k.state, k.reason)
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	alpha = "v1alpha1"
	beta  = "v1beta1"
	// compared is how many requests of each kind are compared.
	compared = 200
)

// written is a graph in the version in which graphs are written.
func (b *bench) written(g *v1alpha1.DynamoGraphDeployment) (client.Object, error) {
	if b.version == alpha {
		return g, nil
	}
	g = g.DeepCopy()
	g.APIVersion, g.Kind = v1alpha1.GroupVersion.String(), v1alpha1.KindGraphDeployment
	data, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	if data, err = conversion.Object(data, v1alpha1.GroupVersion.Group+"/"+b.version); err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(data)
}

// conversions are how long the API server's requests to convert took.
type conversions struct {
	mutex sync.Mutex
	took  []time.Duration
}

// convert answers one.
func (c *conversions) convert(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	cluster.Convert(w, r)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.took = append(c.took, time.Since(began))
}

// compare makes the same requests in both versions by turns, and prints what they
// took, and the part of it in what converts.
func (b *bench) compare(ctx context.Context, d *deployed, converted *conversions) error {
	fmt.Printf("==> %d requests of a kind in each version\n", compared)
	converted.mutex.Lock()
	converted.took = nil
	converted.mutex.Unlock()
	key := client.ObjectKey{Namespace: d.namespace, Name: name(0)}
	object := func(version string) *unstructured.Unstructured {
		g := &unstructured.Unstructured{}
		g.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment))
		g.SetAPIVersion(v1alpha1.GroupVersion.Group + "/" + version)
		g.SetNamespace(key.Namespace)
		g.SetName(key.Name)
		return g
	}
	took := map[string][]time.Duration{}
	for i := range compared {
		for _, version := range []string{alpha, beta} {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/%s":"%d"}}}`, version, i)
			for what, request := range map[string]func() error{
				"read":  func() error { return b.admin.Get(ctx, key, object(version)) },
				"write": func() error { return b.admin.Patch(ctx, object(version), client.RawPatch(types.MergePatchType, patch)) },
			} {
				began := time.Now()
				if err := request(); err != nil {
					return fmt.Errorf("%s in %s: %w", what, version, err)
				}
				took[what+" in "+version] = append(took[what+" in "+version], time.Since(began))
			}
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nONE REQUEST FOR A GRAPH\tREQUESTS\tP50\tP99")
	row := func(what string, took []time.Duration) {
		slices.Sort(took)
		fmt.Fprintf(table, "%s\t%d\t%.2f ms\t%.2f ms\n", what, len(took), milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100]))
	}
	for _, what := range []string{"read in " + alpha, "read in " + beta, "write in " + alpha, "write in " + beta} {
		row(what, took[what])
	}
	converted.mutex.Lock()
	defer converted.mutex.Unlock()
	row("one conversion of these", converted.took)
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

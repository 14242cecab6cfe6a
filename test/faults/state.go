package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// state is what a fleet looks like in the cluster: each object as text, without
// what differs between any two installations. The fleet's name is replaced, so
// that two fleets can be compared.
type state map[string]string

// observer reads states.
type observer struct {
	dynamic   dynamic.Interface
	resources []schema.GroupVersionResource
}

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// followers are kinds that controllers make and time.
var followers = []string{"events", "endpoints", "endpointslices", "replicasets", "pods", "controllerrevisions", "componentstatuses", "podmetrics"}

func newObserver(h *harness) (*observer, error) {
	client, err := discovery.NewDiscoveryClientForConfig(h.cluster.Config)
	if err != nil {
		return nil, err
	}
	o := &observer{}
	if o.dynamic, err = dynamic.NewForConfig(h.cluster.Config); err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && !slices.Contains(followers, r.Name) {
				o.resources = append(o.resources, version.WithResource(r.Name))
			}
		}
	}
	return o, nil
}

// read returns everything whose name or namespace belongs to a fleet, but for
// namespaces on their way out and what is in them: the harness looks, at its
// end, whether they have gone.
func (o *observer) read(ctx context.Context, fleet string) (state, error) {
	out := state{}
	ending, err := o.ending(ctx)
	if err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	var records []unstructured.Unstructured
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	things := schema.GroupVersionResource{Group: fleet + ".example.com", Version: "v1", Resource: "things"}
	for _, resource := range append(slices.Clone(o.resources), things) {
		group.Go(func() error {
			list, err := o.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("list %s: %w", resource.Resource, err)
			}
			mutex.Lock()
			defer mutex.Unlock()
			for _, item := range list.Items {
				switch {
				case !belongs(&item, fleet), ending[item.GetNamespace()], item.GetKind() == "Namespace" && ending[item.GetName()]:
				case isRecord(&item):
					records = append(records, item)
				default:
					out[strings.ReplaceAll(resource.Resource+" "+item.GetNamespace()+"/"+item.GetName(), fleet, "FLEET")] = textOf(&item, fleet)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, out.addRecords(records, fleet)
}

// ending lists the namespaces that are being deleted.
func (o *observer) ending(ctx context.Context) (map[string]bool, error) {
	list, err := o.dynamic.Resource(namespaces).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	out := map[string]bool{}
	for _, item := range list.Items {
		if item.GetDeletionTimestamp() != nil {
			out[item.GetName()] = true
		}
	}
	return out, nil
}

func belongs(item *unstructured.Unstructured, fleet string) bool {
	place := item.GetNamespace()
	if place == "" {
		place = item.GetName()
	}
	return strings.HasPrefix(place, fleet+"-") || strings.HasSuffix(place, "."+fleet+".example.com")
}

func isRecord(item *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(item.Object, "type")
	return kind == "helm.sh/release.v1" || kind == "wheelhouse.dev/revision.v1"
}

// textOf drops what the API server and controllers number, time and fill in.
func textOf(item *unstructured.Unstructured, fleet string) string {
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(item.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(item.Object, "metadata", "annotations", "deployment.kubernetes.io/revision")
	unstructured.RemoveNestedField(item.Object, "metadata", "annotations", "wheelhouse.dev/process")
	if annotations := item.GetAnnotations(); len(annotations) == 0 {
		item.SetAnnotations(nil)
	}
	unstructured.RemoveNestedField(item.Object, "status")
	switch item.GetKind() {
	case "Service":
		unstructured.RemoveNestedField(item.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(item.Object, "spec", "clusterIPs")
	case "Lease":
		// Who held it last and when is not a difference; who still does, is.
		holder, _, _ := unstructured.NestedString(item.Object, "spec", "holderIdentity")
		item.Object["spec"] = map[string]any{"holderIdentity": holder}
	}
	item.SetManagedFields(managersOf(item))
	data, err := json.MarshalIndent(item.Object, "", " ")
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(data), fleet, "FLEET")
}

// managersOf keeps who owns which fields, but not since when, and leaves out
// controllers, which come and go in their own time.
func managersOf(item *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	var out []metav1.ManagedFieldsEntry
	for _, entry := range item.GetManagedFields() {
		if entry.Manager == "helm" && item.GetKind() != "Lease" {
			entry.Time = nil
			out = append(out, entry)
		}
	}
	return out
}

// addRecords reduces Helm's records and the journal to what must be equal: the
// newest revision of each release, and that nothing counts as unfinished.
// Interrupted runs may leave more revisions behind than undisturbed ones.
func (s state) addRecords(items []unstructured.Unstructured, fleet string) error {
	newest := map[string]*record{}
	var journal []journalEntry
	for i := range items {
		if items[i].GetLabels()["wheelhouse.dev/journal"] != "" {
			entry, err := journalOf(&items[i])
			if err != nil {
				return err
			}
			journal = append(journal, entry)
			continue
		}
		r, err := recordOf(&items[i])
		if err != nil {
			return err
		}
		name := strings.ReplaceAll("release "+r.Namespace+"/"+r.Name, fleet, "FLEET")
		if strings.HasPrefix(r.Info.Status, "pending-") || r.Info.Status == "uninstalling" {
			s[fmt.Sprintf("%s revision %d", name, r.Version)] = "unfinished: " + r.Info.Status
		}
		if newest[name] == nil || newest[name].Version < r.Version {
			newest[name] = r
		}
	}
	for name, r := range newest {
		data, err := json.MarshalIndent(map[string]any{
			"status": r.Info.Status, "manifest": r.Manifest, "config": r.Config, "chart": r.Chart.Metadata, "labels": r.labels, "method": r.ApplyMethod,
		}, "", " ")
		if err != nil {
			return err
		}
		s[name] = strings.ReplaceAll(string(data), fleet, "FLEET")
	}
	slices.SortFunc(journal, func(a, b journalEntry) int { return a.Revision - b.Revision })
	for i, entry := range journal {
		if entry.Status == "running" {
			s[fmt.Sprintf("journal %d", entry.Revision)] = "unfinished"
		}
		if i == len(journal)-1 {
			s["journal"] = "last run: " + entry.Status
		}
	}
	return nil
}

type record struct {
	Name, Namespace, Manifest string
	Version                   int
	Info                      struct{ Status string }
	Config                    map[string]any
	Chart                     struct{ Metadata map[string]any }
	ApplyMethod               string `json:"apply_method"`
	labels                    map[string]string
}

// recordOf decodes a Helm record: JSON, gzipped, in base64, in a Secret.
func recordOf(item *unstructured.Unstructured) (*record, error) {
	r := &record{labels: maps.Clone(item.GetLabels())}
	for _, label := range []string{"version", "modifiedAt", "createdAt", "wheelhouse.dev/revision"} {
		delete(r.labels, label)
	}
	data, err := secretData(item, "release")
	if err != nil {
		return nil, err
	}
	zipped, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", item.GetName(), err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", item.GetName(), err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", item.GetName(), err)
	}
	if own := item.GetLabels()["wheelhouse.dev/revision"]; own != item.GetLabels()["version"] {
		r.labels["written by"] = "another program"
	}
	return r, json.Unmarshal(text, r)
}

type journalEntry struct {
	Revision int
	Status   string
}

func journalOf(item *unstructured.Unstructured) (journalEntry, error) {
	var entry journalEntry
	data, err := secretData(item, "revision")
	if err != nil {
		return entry, err
	}
	return entry, json.Unmarshal(data, &entry)
}

func secretData(item *unstructured.Unstructured, key string) ([]byte, error) {
	text, _, err := unstructured.NestedString(item.Object, "data", key)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

// differences lists what is not as it should be, shortly.
func differences(want, got state) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		text, there := got[name]
		switch {
		case !there:
			out = append(out, "missing: "+name)
		case text != want[name]:
			out = append(out, "different: "+name+firstDifference(want[name], text))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, wanted := want[name]; !wanted {
			out = append(out, "left over: "+name+" ("+shorten(got[name])+")")
		}
	}
	return out
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			have := "nothing"
			if i < len(b) {
				have = strings.TrimSpace(b[i])
			}
			return fmt.Sprintf(": want %s, have %s", shorten(strings.TrimSpace(a[i])), shorten(have))
		}
	}
	return ": it has more"
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func shorten(text string) string {
	const most = 160
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

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
	"regexp"
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

var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	// clusterWide are the kinds of which the charts have objects outside of
	// namespaces.
	clusterWide = []schema.GroupVersionResource{
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		definitions,
	}
	// contents are the kinds of which they have objects in namespaces, with a
	// selector for those that Kubernetes puts there too.
	contents = map[schema.GroupVersionResource]string{
		{Group: "apps", Version: "v1", Resource: "deployments"}:                       "",
		{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}:             "",
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}:      "",
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}:            "",
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}: "",
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}:        "",
		{Group: "apps", Version: "v1", Resource: "statefulsets"}:                      "",
		{Version: "v1", Resource: "persistentvolumeclaims"}:                           "",
		{Version: "v1", Resource: "configmaps"}:                                       ofHelm,
		{Version: "v1", Resource: "secrets"}:                                          "",
		{Version: "v1", Resource: "serviceaccounts"}:                                  ofHelm,
		{Version: "v1", Resource: "services"}:                                         "",
	}
)

// authority is where a CRD says whom it trusts to convert.
var authority = []string{"spec", "conversion", "webhook", "clientConfig", "caBundle"}

const ofHelm = "app.kubernetes.io/managed-by=Helm"

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
func (o *observer) read(ctx context.Context, f *fleet) (state, error) {
	out := state{}
	ending, err := o.ending(ctx)
	if err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	var records []unstructured.Unstructured
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	resources := o.resources
	if f.objects != "" {
		resources = append(slices.Clone(resources), schema.GroupVersionResource{Group: f.crdGroup(), Version: "v1", Resource: f.objects})
	}
	for _, resource := range resources {
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
				case !f.has(&item), ending[item.GetNamespace()], item.GetKind() == "Namespace" && ending[item.GetName()]:
				case isRecord(&item):
					records = append(records, item)
				default:
					out[strings.ReplaceAll(resource.Resource+" "+item.GetNamespace()+"/"+item.GetName(), f.name, "FLEET")] = textOf(&item, f.name)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, out.addRecords(records, f.name)
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

// has tells whether an object belongs to the fleet. Those of the cluster are
// called after its namespaces, or after the group of its CRDs, or carry the marks
// of its releases.
func (f *fleet) has(item *unstructured.Unstructured) bool {
	if namespace := item.GetNamespace(); namespace != "" {
		return strings.HasPrefix(namespace, f.name+"-")
	}
	return strings.Contains(item.GetName(), f.name+"-") || strings.HasPrefix(item.GetAnnotations()["meta.helm.sh/release-namespace"], f.name+"-") || strings.HasSuffix(item.GetName(), "."+f.crdGroup())
}

// remove deletes what a fleet has in the cluster, and of CRDs whose names others
// need it awaits the end. Ending namespaces is a third of all requests of a sweep, so
// they stay, emptied, unless they are asked for: where a fleet has ended as an
// undisturbed one does, finalizers included, they end as its namespaces do.
func (o *observer) remove(ctx context.Context, f *fleet, withNamespaces bool) error {
	for tenant := range strings.FieldsSeq(f.tenants + " crds " + graphsOf) {
		if err := o.empty(ctx, f.name+"-"+tenant, withNamespaces); err != nil {
			return err
		}
	}
	for {
		left := 0
		for _, resource := range clusterWide {
			list, err := o.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
			if err != nil {
				return fmt.Errorf("list %s: %w", resource.Resource, err)
			}
			for _, item := range list.Items {
				if !f.has(&item) {
					continue
				}
				if resource == definitions && f.shared() {
					left++
				}
				if err := o.dynamic.Resource(resource).Delete(ctx, item.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
					return fmt.Errorf("delete %s %s: %w", resource.Resource, item.GetName(), err)
				}
			}
		}
		if left == 0 {
			return nil
		}
		pause(ctx)
	}
}

// empty deletes a namespace, or what the charts and wheelhouse put into it.
func (o *observer) empty(ctx context.Context, namespace string, whole bool) error {
	if whole {
		err := o.dynamic.Resource(namespaces).Delete(ctx, namespace, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete namespace %s: %w", namespace, err)
		}
		return nil
	}
	background := metav1.DeletePropagationBackground
	for resource, selector := range contents {
		err := o.dynamic.Resource(resource).Namespace(namespace).DeleteCollection(ctx,
			metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{LabelSelector: selector})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("empty namespace %s of %s: %w", namespace, resource.Resource, err)
		}
	}
	return nil
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
	case "PersistentVolumeClaim":
		// Controllers note there, in their own time, how far they are.
		item.SetAnnotations(nil)
	case "Secret":
		// Certificates are made at random, and belong to a Service by its number.
		if kind, _, _ := unstructured.NestedString(item.Object, "type"); kind == "kubernetes.io/tls" {
			item.Object["data"] = "a certificate"
			item.SetOwnerReferences(nil)
		}
	case "CustomResourceDefinition":
		if _, trusts, _ := unstructured.NestedString(item.Object, authority...); trusts {
			_ = unstructured.SetNestedField(item.Object, "an authority", authority...) // it was there
		}
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
	return alike(data, fleet)
}

// alike replaces a fleet's name, and the checksums of texts that have it in
// them: the texts are compared too.
func alike(data []byte, fleet string) string {
	return checksum.ReplaceAllString(strings.ReplaceAll(string(data), fleet, "FLEET"), "$1")
}

var checksum = regexp.MustCompile(`(checksum/[a-z]+\W+)[0-9a-f]{64}`)

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
		values, err := json.Marshal(r.Config)
		if err != nil {
			return err
		}
		if strings.Contains(string(values), fleet) {
			delete(r.labels, "wheelhouse.dev/values-digest") // the values are compared too
		}
		data, err := json.MarshalIndent(map[string]any{
			"status": r.Info.Status, "manifest": r.Manifest, "config": r.Config, "chart": r.Chart.Metadata, "labels": r.labels, "method": r.ApplyMethod,
		}, "", " ")
		if err != nil {
			return err
		}
		s[name] = alike(data, fleet)
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

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// graphsOf is the end of the namespace that has a fleet's graphs.
const graphsOf = "graphs"

// convertedCharts are the real ones with what converts. On a platform nobody waits, as
// nothing here runs it; what converts is always waited for.
var convertedCharts = &chartSet{
	source: "charts: {crds: %[1]s/crds, conversion: %[1]s/conversion}",
	files: map[string]wanted{
		"plain.yaml": {values: "platform: {nats: {enabled: false}}"},
		"one.yaml":   {conversion: true, values: "platform: {nats: {enabled: false}}"},
		"two.yaml": {conversion: true, values: "platform: {nats: {enabled: false}, dynamo-operator: {controllerManager: {logLevel: debug}}}, " +
			"conversion: {logLevel: debug}, crds: {conversion: {certificateValidity: 300}}"},
	},
	tenants: "a", group: "nvidia.com", converts: true,
}

var (
	applyPlain = []string{"apply", "-f", "plain.yaml", "--yes"}
	// turnedOff asks for it twice: definitions first let go of what converts.
	turnedOff = slices.Concat(applyPlain, []string{"--no-wait", "--accept-crd-breakage", "--prune"})
)

// convertedScenarios are those in which objects must be readable after every kill.
func convertedScenarios() []scenario {
	plain, one, two := slices.Concat(applyPlain, []string{"--no-wait"}), slices.Concat(applyOne, []string{"--no-wait"}), slices.Concat(applyTwo, []string{"--no-wait"})
	back := slices.Concat(rollback, []string{"--no-wait", "--accept-crd-breakage"})
	list := []scenario{
		{name: "install, with conversion", disturbed: one},
		{name: "conversion is turned on", before: [][]string{plain}, disturbed: one},
		{name: "upgrade of conversion", before: [][]string{one}, disturbed: two},
		{name: "conversion with a certificate anew", before: [][]string{one}, prepare: (*harness).loseCertificate, disturbed: one},
		{name: "rollback of conversion", before: [][]string{one, two}, disturbed: back},
		{name: "rollback to before conversion", before: [][]string{plain, one}, disturbed: back},
		{name: "conversion is turned off", before: [][]string{one}, disturbed: turnedOff},
		{name: "destroy with conversion, CRDs stay", before: [][]string{one}, disturbed: []string{"destroy", "-f", "one.yaml", "--yes"}},
		{name: "destroy with conversion and CRDs", before: [][]string{one}, disturbed: destroy, purges: true},
	}
	for i := range list {
		list[i].charts, list[i].stride = convertedCharts, 7
	}
	return list
}

func (h *harness) loseCertificate(ctx context.Context, f *fleet) error {
	return h.node.client.CoreV1().Secrets(f.name+"-crds").Delete(ctx, converterCertificate, metav1.DeleteOptions{})
}

// sample is an object of a kind that has two versions.
type sample struct{ version, plural, kind, name, spec string }

var samples = []sample{
	{"v1alpha1", "dynamographdeployments", "DynamoGraphDeployment", "old", `{services: {Frontend: {componentType: frontend, replicas: 1, extraPodSpec: {mainContainer: {image: "r:1"}}}}}`},
	{"v1alpha1", "dynamocomponentdeployments", "DynamoComponentDeployment", "old", `{componentType: frontend, serviceName: Frontend, extraPodSpec: {mainContainer: {image: "r:1"}}}`},
	{"v1alpha1", "dynamographdeploymentscalingadapters", "DynamoGraphDeploymentScalingAdapter", "old", `{replicas: 1, dgdRef: {name: old, serviceName: Frontend}}`},
	{"v1alpha1", "dynamographdeploymentrequests", "DynamoGraphDeploymentRequest", "old", `{model: m, backend: vllm, profilingConfig: {profilerImage: "r:1", config: {sla: {ttft: 100, itl: 10}}}}`},
	{"v1beta1", "dynamographdeployments", "DynamoGraphDeployment", "new", `{priorityClassName: high, components: [{name: Frontend, type: frontend, podTemplate: {spec: {containers: [{name: main, image: "r:1"}]}}}]}`},
}

func (h *harness) resource(f *fleet, version, plural string) (schema.GroupVersionResource, string) {
	return schema.GroupVersionResource{Group: f.crdGroup(), Version: version, Resource: plural}, f.name + "-" + graphsOf
}

// write makes what is not there yet of the samples whose versions are served.
func (h *harness) write(ctx context.Context, f *fleet) error {
	if !f.converts {
		return nil
	}
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(f.name + "-" + graphsOf)
	if _, err := h.observer.dynamic.Resource(namespaces).Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	for _, s := range samples {
		served, err := h.served(ctx, f, s.plural)
		if err != nil {
			return err
		}
		if !slices.Contains(served, s.version) || slices.Contains(f.written, s) {
			continue
		}
		object := &unstructured.Unstructured{Object: map[string]any{}}
		if err := yaml.Unmarshal([]byte("spec: "+s.spec), &object.Object); err != nil {
			return err
		}
		resource, in := h.resource(f, s.version, s.plural)
		object.SetAPIVersion(resource.GroupVersion().String())
		object.SetKind(s.kind)
		object.SetName(s.name)
		err = h.patiently(ctx, func() error {
			_, err := h.observer.dynamic.Resource(resource).Namespace(in).Create(ctx, object, metav1.CreateOptions{})
			return err
		})
		if err != nil {
			return fmt.Errorf("write %s %s in %s: %w", s.plural, s.name, s.version, err)
		}
		f.written = append(f.written, s)
	}
	return nil
}

// served are the versions of a kind that its definition serves; none without one.
func (h *harness) served(ctx context.Context, f *fleet, plural string) (out []string, err error) {
	crd, err := h.observer.dynamic.Resource(definitions).Get(ctx, plural+"."+f.crdGroup(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && crd.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		if version := v.(map[string]any); version["served"] == true {
			out = append(out, version["name"].(string))
		}
	}
	return out, err
}

// patiently repeats what fails while the API server does not yet serve what it
// has just been told to, and nothing else.
func (h *harness) patiently(ctx context.Context, do func() error) error {
	for deadline := time.Now().Add(10 * time.Second); ; pause(ctx) {
		if err := do(); !apierrors.IsNotFound(err) || time.Now().After(deadline) {
			return err
		}
	}
}

// readable reads and lists all that was written, and tries to write it, in every
// version that is served, twice: what a kill leaves behind may show a moment later.
func (h *harness) readable(ctx context.Context, f *fleet, purged bool) error {
	for range 2 {
		for _, s := range f.written {
			served, err := h.served(ctx, f, s.plural)
			if err != nil {
				return err
			}
			if len(served) == 0 && !purged {
				return fmt.Errorf("%s are no longer served", s.plural)
			}
			for _, version := range served {
				if err := h.readIn(ctx, f, s, version); err != nil && (!purged || !apierrors.IsNotFound(err)) {
					return fmt.Errorf("%s %s in %s: %w", s.plural, s.name, version, err)
				}
			}
		}
		pause(ctx)
		pause(ctx)
	}
	return nil
}

func (h *harness) readIn(ctx context.Context, f *fleet, s sample, version string) error {
	resource, in := h.resource(f, version, s.plural)
	objects := h.observer.dynamic.Resource(resource).Namespace(in)
	return h.patiently(ctx, func() error {
		got, err := objects.Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get: %w", err)
		}
		if spec, _, err := unstructured.NestedMap(got.Object, "spec"); err != nil || len(spec) == 0 || got.GetAPIVersion() != resource.GroupVersion().String() {
			return fmt.Errorf("get: it reads %v", got.Object)
		}
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if !slices.ContainsFunc(list.Items, func(item unstructured.Unstructured) bool { return item.GetName() == s.name }) {
			return fmt.Errorf("list: it is not in it")
		}
		// No cache answers a write.
		_, err = objects.Patch(ctx, s.name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/tried":"yes"}}}`),
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		return nil
	})
}

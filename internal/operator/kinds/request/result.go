package request

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// What a profiler may leave. It is a program of the author's choice, so what it
// says is looked at like what the author says.
const (
	longestResult = 256 << 10 // bytes
	mostDocuments = 20
)

// result is what a profiler recommends: a graph, and the ConfigMaps that it reads.
type result struct {
	graph      *v1alpha1.DynamoGraphDeployment
	configMaps []*corev1.ConfigMap
}

// resultOf reads the output of a request's profiler and puts it into the words of
// the request. An error is about the output.
func resultOf(data map[string]string, r *v1alpha1.DynamoGraphDeploymentRequest, spec *v1alpha1.DynamoGraphDeploymentRequestSpec, cfg *config.OperatorConfiguration) (*result, error) {
	key := render.ProfilingResult
	if spec.UseMocker {
		key = render.ProfilingMockerResult
	}
	text, has := data[key]
	switch {
	case !has:
		return nil, fmt.Errorf("the profiler has left no %s, but %s", key, strings.Join(slices.Sorted(maps.Keys(data)), ", "))
	case len(text) > longestResult:
		return nil, fmt.Errorf("%s has %d KiB, and %d KiB is the most", key, len(text)>>10, longestResult>>10)
	}
	found, err := parse(text)
	if err == nil && spec.DeploymentOverrides != nil && spec.DeploymentOverrides.DGD != nil {
		found.graph, err = overridden(found.graph, spec.DeploymentOverrides.DGD)
	}
	if err == nil {
		err = found.adopt(r, spec, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return found, nil
}

// parse reads documents of YAML: one graph, and ConfigMaps.
func parse(text string) (*result, error) {
	found := &result{}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n > mostDocuments {
			err = fmt.Errorf("there are more than %d documents", mostDocuments)
		}
		if err == nil {
			err = found.add(document)
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
	}
	if found.graph == nil {
		return nil, errors.New("there is no " + v1alpha1.KindGraphDeployment)
	}
	return found, nil
}

func (f *result) add(document []byte) error {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	switch head {
	case metav1.TypeMeta{}:
		return nil // comments alone
	case metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindGraphDeployment}:
		graph := &v1alpha1.DynamoGraphDeployment{}
		return f.addGraph(graph, yaml.UnmarshalStrict(document, graph))
	case metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: v1alpha1.KindGraphDeployment}:
		graph := &v1beta1.DynamoGraphDeployment{}
		err := yaml.UnmarshalStrict(document, graph)
		return f.addGraph(conversion.GraphToAlpha(graph), err)
	case metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}:
		configMap := &corev1.ConfigMap{}
		f.configMaps = append(f.configMaps, configMap)
		return yaml.UnmarshalStrict(document, configMap)
	}
	return fmt.Errorf("it is a %s of %s: only a %s of %s or %s and ConfigMaps are taken",
		head.Kind, head.APIVersion, v1alpha1.KindGraphDeployment, v1alpha1.GroupVersion, v1beta1.GroupVersion)
}

func (f *result) addGraph(graph *v1alpha1.DynamoGraphDeployment, err error) error {
	if f.graph != nil {
		return errors.New("it is a second " + v1alpha1.KindGraphDeployment)
	}
	f.graph = graph
	return err
}

// adopt gives the objects the request's names and marks, and nothing else of
// what the profiler says of them but their labels and annotations.
func (f *result) adopt(r *v1alpha1.DynamoGraphDeploymentRequest, spec *v1alpha1.DynamoGraphDeploymentRequestSpec, cfg *config.OperatorConfiguration) error {
	overrides := v1alpha1.DeploymentOverrides{}
	if spec.DeploymentOverrides != nil {
		overrides = *spec.DeploymentOverrides
	}
	namespace := namespaceOf(r, spec)
	marks := map[string]string{
		v1alpha1.LabelRequestName: r.Name, v1alpha1.LabelRequestNamespace: r.Namespace, v1alpha1.LabelRequestUID: string(r.UID), v1alpha1.LabelManagedBy: render.Manager,
	}
	own := func(from metav1.ObjectMeta, name string) metav1.ObjectMeta {
		if name == "" {
			name = from.Name
		}
		return metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: merged(from.Labels, marks), Annotations: from.Annotations}
	}
	f.graph.ObjectMeta = own(f.graph.ObjectMeta, overrides.Name)
	f.graph.Labels = merged(f.graph.Labels, overrides.Labels, marks)
	f.graph.Annotations = merged(f.graph.Annotations, overrides.Annotations)
	f.graph.Status = v1alpha1.DynamoGraphDeploymentStatus{}
	errs := apivalidation.ValidateObjectMeta(&f.graph.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	graphErrs, _ := validate.Graph(f.graph, cfg)
	errs = append(errs, graphErrs...)
	for _, configMap := range f.configMaps {
		configMap.ObjectMeta = own(configMap.ObjectMeta, "")
		errs = append(errs, apivalidation.ValidateObjectMeta(&configMap.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("ConfigMap", "metadata"))...)
	}
	return errs.ToAggregate()
}

// namespaceOf is where the graph is to be.
func namespaceOf(r *v1alpha1.DynamoGraphDeploymentRequest, spec *v1alpha1.DynamoGraphDeploymentRequestSpec) string {
	if spec.DeploymentOverrides != nil && spec.DeploymentOverrides.Namespace != "" {
		return spec.DeploymentOverrides.Namespace
	}
	return r.Namespace
}

// merged joins labels or annotations, weakest first; nil for none.
func merged(layers ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, layer := range layers {
		maps.Copy(all, layer)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

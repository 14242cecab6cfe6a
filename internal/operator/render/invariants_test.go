package render

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// TestInvariants holds for every graph: those in testdata and, where the
// environment variable SAMPLES names a folder, those in it.
func TestInvariants(t *testing.T) {
	folders := []string{"testdata"}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no graphs in %s: %v", folder, err)
		}
		for _, file := range files {
			for _, dgd := range graphsIn(t, file) {
				t.Run(filepath.Base(file)+"/"+dgd.Name, func(t *testing.T) { checkGraph(t, dgd) })
			}
		}
	}
}

func graphsIn(t *testing.T, file string) []*v1alpha1.DynamoGraphDeployment {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var graphs []*v1alpha1.DynamoGraphDeployment
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return graphs
		}
		if err != nil {
			t.Fatal(err)
		}
		dgd := &v1alpha1.DynamoGraphDeployment{}
		if err := yaml.Unmarshal(document, dgd); err != nil || dgd.Kind != v1alpha1.KindGraphDeployment {
			continue // another kind, or a values file
		}
		if dgd.Namespace == "" {
			dgd.Namespace = "team-a"
		}
		graphs = append(graphs, dgd)
	}
}

func checkGraph(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment) {
	components := Components(dgd, testConfig(), Current)
	if len(components) != len(dgd.Spec.Services) {
		t.Fatalf("%d components for %d services", len(components), len(dgd.Spec.Services))
	}
	for _, dcd := range components {
		objects, err := Component(owned(dgd, dcd), testConfig())
		if err != nil {
			t.Fatal(err)
		}
		if d := objects.Deployment; d != nil {
			selects(t, d.Spec.Selector.MatchLabels, d.Spec.Template)
			checkPods(t, d.Spec.Template)
		} else {
			checkPods(t, objects.LeaderWorkerSet.Spec.LeaderWorkerTemplate.WorkerTemplate)
			checkPods(t, *objects.pods())
		}
		checkEnvironment(t, dgd, dcd.Spec.ServiceName, objects.pods())
		checkService(t, objects)
	}
}

func selects(t *testing.T, selector map[string]string, pods corev1.PodTemplateSpec) {
	t.Helper()
	for key, value := range selector {
		if pods.Labels[key] != value {
			t.Errorf("the selector %s=%s misses its own pods", key, value)
		}
	}
}

func checkPods(t *testing.T, template corev1.PodTemplateSpec) {
	t.Helper()
	pod := template.Spec
	for key, value := range template.Labels {
		if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(problems) > 0 {
			t.Errorf("label %s=%s: %v", key, value, problems)
		}
	}
	volumes := unique(t, "volume", pod.Volumes, volumeName)
	mains := 0
	for i := range pod.Containers {
		c := &pod.Containers[i]
		if c.Name == v1alpha1.MainContainerName {
			mains++
		}
		unique(t, "variable", c.Env, func(v corev1.EnvVar) string { return v.Name })
		unique(t, "port", c.Ports, portNumber)
		unique(t, "mount", c.VolumeMounts, mountPath)
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("container %s mounts %s, which is no volume of its pod", c.Name, m.Name)
			}
		}
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			checkProbe(t, c, probe)
		}
	}
	if mains != 1 {
		t.Errorf("%d main containers, want 1", mains)
	}
}

func unique[T any, K comparable](t *testing.T, what string, items []T, key func(T) K) map[K]bool {
	t.Helper()
	seen := map[K]bool{}
	for _, item := range items {
		if seen[key(item)] {
			t.Errorf("%s %v occurs twice", what, key(item))
		}
		seen[key(item)] = true
	}
	return seen
}

func checkProbe(t *testing.T, c *corev1.Container, probe *corev1.Probe) {
	t.Helper()
	if probe == nil {
		return
	}
	handlers := 0
	for _, set := range []bool{probe.Exec != nil, probe.HTTPGet != nil, probe.TCPSocket != nil, probe.GRPC != nil} {
		if set {
			handlers++
		}
	}
	if handlers != 1 {
		t.Errorf("a probe of %s has %d handlers, want 1", c.Name, handlers)
	}
	if probe.HTTPGet != nil && probe.HTTPGet.Port.Type == intstr.String && !hasPort(c, probe.HTTPGet.Port.StrVal) {
		t.Errorf("a probe of %s asks port %s, which is not declared", c.Name, probe.HTTPGet.Port.StrVal)
	}
}

func hasPort(c *corev1.Container, name string) bool {
	for _, p := range c.Ports {
		if p.Name == name {
			return true
		}
	}
	return false
}

// checkEnvironment: the strongest layer that sets a variable decides.
func checkEnvironment(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment, service string, template *corev1.PodTemplateSpec) {
	t.Helper()
	want := map[string]string{}
	layer := func(vars []corev1.EnvVar) {
		for _, v := range vars {
			want[v.Name] = v.Value
		}
	}
	spec := dgd.Spec.Services[service]
	layer(dgd.Spec.Envs)
	if spec.ExtraPodSpec != nil && spec.ExtraPodSpec.MainContainer != nil {
		layer(spec.ExtraPodSpec.MainContainer.Env)
	}
	layer(spec.Envs)
	for _, v := range mainContainer(template.Spec).Env {
		if value, set := want[v.Name]; set && value != v.Value {
			t.Errorf("%s: %s=%s, want %s", service, v.Name, v.Value, value)
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("%s: variables %v are lost", service, want)
	}
}

func checkService(t *testing.T, objects *ComponentObjects) {
	t.Helper()
	name := objects.Service.Name
	if problems := validation.IsDNS1035Label(name); len(problems) > 0 || strings.ToLower(name) != name {
		t.Errorf("Service %s: %v", name, problems)
	}
	selects(t, objects.Service.Spec.Selector, *objects.pods())
	main := mainContainer(objects.pods().Spec)
	for _, p := range objects.Service.Spec.Ports {
		if p.TargetPort.Type == intstr.String && !hasPort(main, p.TargetPort.StrVal) {
			t.Errorf("Service %s leads to port %s, which the main container lacks", name, p.TargetPort.StrVal)
		}
	}
}

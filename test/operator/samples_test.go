package operator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Every graph that the renderer has golden files for, and every one in the
// folder that the environment variable SAMPLES names, is accepted as it is and
// ends in one of two ways: deployed, or refused whole, with a reason.
func TestGraphsAsUsersWriteThem(t *testing.T) {
	folders := []string{filepath.Join("..", "..", "internal", "operator", "render", "testdata")}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no graphs in %s: %v", folder, err)
		}
		for _, file := range files {
			if graphs := graphsIn(t, file); len(graphs) > 0 {
				t.Run(filepath.Base(file), func(t *testing.T) { deployOrRefuse(t, graphs) })
			}
		}
	}
}

// graphsIn reads graphs without going through our types, which might lose
// what the API server would have refused.
func graphsIn(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var graphs []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return graphs
		}
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil || object.GetKind() != v1alpha1.KindGraphDeployment {
			continue // another kind, or a values file
		}
		graphs = append(graphs, object)
	}
}

func deployOrRefuse(t *testing.T, graphs []*unstructured.Unstructured) {
	ns := namespace(t)
	start(t, everywhere)
	for _, graph := range graphs {
		graph.SetNamespace(ns)
		err := adminClient(t).Create(context.Background(), graph, client.FieldValidation("Strict"))
		if err != nil {
			t.Fatal(err)
		}
		dgd := &v1alpha1.DynamoGraphDeployment{}
		get(t, ns, graph.GetName(), dgd)
		for _, pvc := range dgd.Spec.PVCs {
			if !pvc.Create {
				createClaim(t, ns, pvc.Name)
			}
		}
		cluster.Eventually(t, "the graph is deployed or refused", func() error { return deployedOrRefused(t, ns, graph.GetName()) })
	}
}

func deployedOrRefused(t *testing.T, namespace, name string) error {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, name, dgd)
	ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return fmt.Errorf("no operator has seen it")
	}
	components := &v1alpha1.DynamoComponentDeploymentList{}
	err := adminClient(t).List(context.Background(), components, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelGraphDeploymentName: name})
	if err != nil {
		return err
	}
	switch ready.Reason {
	case v1alpha1.ReasonMultinodeNotAvailable, v1alpha1.ReasonInferencePoolNotAvailable, "Unsupported":
		if len(components.Items) > 0 {
			return fmt.Errorf("refused (%s), and yet there are %d components", ready.Message, len(components.Items))
		}
		return nil
	case v1alpha1.ReasonValidationFailed:
		if os.Getenv("DRYDOCK_KUBERNETES") != "" && strings.Contains(ready.Message, "this version of Kubernetes has no such field") {
			return nil // a field of a later one than this
		}
		return fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	case v1alpha1.ReasonSomeResourcesNotReady, v1alpha1.ReasonAllResourcesReady:
	default:
		return fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	for _, component := range components.Items {
		available := meta.FindStatusCondition(component.Status.Conditions, v1alpha1.ConditionAvailable)
		if available == nil || available.Reason != v1alpha1.ReasonDeploymentNotReady && available.Status != metav1.ConditionTrue {
			return fmt.Errorf("component %s: %+v", component.Name, available)
		}
	}
	if len(components.Items) != len(dgd.Spec.Services) {
		return fmt.Errorf("%d components for %d services", len(components.Items), len(dgd.Spec.Services))
	}
	return nil
}

func createClaim(t *testing.T, namespace, name string) {
	t.Helper()
	create(t, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	})
}

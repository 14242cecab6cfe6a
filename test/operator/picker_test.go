package operator

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const pickedGraph = `
metadata: {name: picked}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    Epp:
      componentType: epp
      extraPodSpec: {mainContainer: {image: "registry.example.com/epp:1"}}
      eppConfig:
        config:
          plugins: [{type: prefix-cache-scorer, parameters: {blockSize: 16}}, {name: picker, type: max-score-picker}]
          schedulingProfiles: [{name: default, plugins: [{pluginRef: prefix-cache-scorer, weight: 2}, {pluginRef: picker}]}]
`

// TestAnEndpointPickerComesAndGoesWithItsAPI takes a graph with one through all of
// its life: the API is missing, appears, and goes, and the operator is the same.
func TestAnEndpointPickerComesAndGoesWithItsAPI(t *testing.T) {
	ns := namespace(t)
	operator := start(t, everywhere)
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, pickedGraph)
	create(t, dgd)
	condition(t, ns, "picked", says("InferencePoolNotAvailable: service Epp: componentType epp needs InferencePools, whose API (inference.networking.k8s.io/v1) the operator has not got: install"))
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)

	api := cluster.InstallInferencePools(t, adminClient(t))
	pool := &inferenceapi.InferencePool{}
	get(t, ns, "picked-pool", pool)
	read := cluster.InferencePoolReader(t)
	data, err := json.Marshal(pool)
	if err != nil {
		t.Fatal(err)
	}
	if err := holds(decoded(t, read(string(data))), decoded(t, string(data))); err != nil {
		t.Errorf("the extension's types: %v", err)
	}
	want := inferenceapi.InferencePoolSpec{
		Selector: inferenceapi.LabelSelector{MatchLabels: map[string]string{
			"nvidia.com/dynamo-component-type": "frontend", "nvidia.com/dynamo-namespace": ns + "-picked", "nvidia.com/dynamo-graph-deployment-name": "picked",
		}},
		TargetPorts:       []inferenceapi.Port{{Number: 8000}},
		EndpointPickerRef: inferenceapi.EndpointPickerRef{Kind: "Service", Name: "picked-epp", Port: &inferenceapi.Port{Number: 9002}},
	}
	if diff := cmp.Diff(want, pool.Spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	frontend := &appsv1.Deployment{}
	get(t, ns, "picked-frontend", frontend)
	for key, value := range pool.Spec.Selector.MatchLabels {
		if got := frontend.Spec.Template.Labels[key]; got != value {
			t.Errorf("the pool selects %s=%s, and frontends have %q", key, value, got)
		}
	}
	get(t, ns, "picked-epp", &corev1.Service{})
	mayRead(t, ns)

	t.Run("a settled graph is not written", func(t *testing.T) {
		allRun(t, ns, "picked", "picked-epp", "picked-frontend")
		before := operator.settled(t)
		change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Annotations = map[string]string{"example.com/note": "a"} })
		condition(t, ns, "picked", isReady)
		if n := operator.writes.Load() - before; n > 0 {
			t.Errorf("%d writes for nothing", n)
		}
	})
	t.Run("its configuration is followed", func(t *testing.T) { configurationIsFollowed(t, ns, dgd) })
	t.Run("a service that is removed takes its pool along", func(t *testing.T) {
		var epp *v1alpha1.DynamoComponentDeploymentSharedSpec
		change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
			epp = d.Spec.Services["Epp"]
			delete(d.Spec.Services, "Epp")
		})
		gone(t, ns, "picked-pool", pool)
		gone(t, ns, "picked-epp", &appsv1.Deployment{})
		change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Epp"] = epp })
		get(t, ns, "picked-pool", pool)
		get(t, ns, "picked-epp", &appsv1.Deployment{})
	})

	api.Remove(t)
	condition(t, ns, "picked", says("InferencePoolNotAvailable"))
	get(t, ns, "picked-epp", &appsv1.Deployment{}) // what runs is left alone
}

// configurationIsFollowed: one that changes replaces the pod, which reads it once.
func configurationIsFollowed(t *testing.T, ns string, dgd *v1alpha1.DynamoGraphDeployment) {
	file := func() string {
		config := &corev1.ConfigMap{}
		get(t, ns, "picked-epp-config", config)
		return config.Data["epp-config-dynamo.yaml"]
	}
	if !strings.Contains(file(), "blockSize: 16") {
		t.Errorf("the picker's configuration is %s", file())
	}
	template := func() corev1.PodTemplateSpec {
		deployment := &appsv1.Deployment{}
		get(t, ns, "picked-epp", deployment)
		return deployment.Spec.Template
	}
	before := template()
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		config := d.Spec.Services["Epp"].EPPConfig.Config
		config.Raw = []byte(strings.Replace(string(config.Raw), `"blockSize":16`, `"blockSize":32`, 1))
	})
	cluster.Eventually(t, "the pod is replaced", func() error {
		if cmp.Equal(before, template()) {
			return errors.New("it is as it was")
		}
		return nil
	})
	if !strings.Contains(file(), "blockSize: 32") {
		t.Errorf("the picker's configuration is %s", file())
	}
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Spec.Services["Epp"].EPPConfig = &v1alpha1.EPPConfig{ConfigMapRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "mine"}, Key: "a.yaml"}}
	})
	cluster.Eventually(t, "the author's ConfigMap is mounted", func() error {
		for _, volume := range template().Spec.Volumes {
			if volume.Name == "epp-config" && volume.ConfigMap.Name == "mine" && volume.ConfigMap.Items[0].Key == "a.yaml" {
				return nil
			}
		}
		return errors.New("it is as it was")
	})
}

// mayRead: the picker's account is bound to the picker's role in the namespace of
// the graph, and that is all.
func mayRead(t *testing.T, ns string) {
	t.Helper()
	binding := &rbacv1.RoleBinding{}
	get(t, ns, "epp-serviceaccount-binding", binding)
	if binding.RoleRef.Name != pickerRole || len(binding.Subjects) != 1 || binding.Subjects[0].Name != render.PickerServiceAccount || binding.Subjects[0].Namespace != ns {
		t.Errorf("binding %+v, want one of %s to %s", binding, render.PickerServiceAccount, pickerRole)
	}
	get(t, ns, render.PickerServiceAccount, &corev1.ServiceAccount{})
}

// TestSomebodyElsesPoolStays: a pool, or a configuration, that has the graph's name
// and is not its own.
func TestSomebodyElsesPoolStays(t *testing.T) {
	ns := namespace(t)
	cluster.InstallInferencePools(t, adminClient(t))
	theirs := &inferenceapi.InferencePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "picked-pool"},
		Spec: inferenceapi.InferencePoolSpec{
			Selector:          inferenceapi.LabelSelector{MatchLabels: map[string]string{"app": "mine"}},
			TargetPorts:       []inferenceapi.Port{{Number: 1}},
			EndpointPickerRef: inferenceapi.EndpointPickerRef{Kind: "Service", Name: "mine", Port: &inferenceapi.Port{Number: 2}},
		},
	}
	create(t, theirs)
	start(t, within(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, pickedGraph))
	condition(t, ns, "picked", says("InferencePool "+ns+"/picked-pool exists already and belongs to nobody"))
	now := &inferenceapi.InferencePool{}
	if get(t, ns, "picked-pool", now); !cmp.Equal(theirs.Spec, now.Spec) {
		t.Errorf("somebody else's pool was changed: %+v", now.Spec)
	}
}

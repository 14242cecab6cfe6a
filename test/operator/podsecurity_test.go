package operator

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// TestTheOperatorRunsWhereRestrictedPodSecurityIsEnforced asks the API server
// that enforces it.
func TestTheOperatorRunsWhereRestrictedPodSecurityIsEnforced(t *testing.T) {
	ns := namespace(t)
	c := adminClient(t)
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, func(ns *corev1.Namespace) {
		metav1.SetMetaDataLabel(&ns.ObjectMeta, "pod-security.kubernetes.io/enforce", "restricted")
	})
	platform, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []string{
		`{}`,
		`dynamo-operator: {namespaceRestriction: {enabled: true}}`,
		`dynamo-operator: {webhook: {certManager: {enabled: true}}, controllerManager: {replicas: 3}}`,
		`dynamo-operator: {env: [{name: GOMEMLIMIT, value: 500MiB}]}`,
	} {
		overrides := map[string]any{"nats": map[string]any{"enabled": false}}
		if err := yaml.Unmarshal([]byte(values), &overrides); err != nil {
			t.Fatal(err)
		}
		rendered, err := platform.Render(chart.Release{Name: "p", Namespace: ns}, overrides, chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		admitted := 0
		for _, object := range rendered.Objects {
			if object.Kind != "Deployment" {
				continue
			}
			deployment := &appsv1.Deployment{}
			if err := yaml.UnmarshalStrict([]byte(object.Content), deployment); err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "p-"}, Spec: deployment.Spec.Template.Spec}
			pod.Spec.ServiceAccountName = "default" // the chart's own is not there
			if err := c.Create(context.Background(), pod, client.DryRunAll); err != nil {
				t.Errorf("%s: %v", values, err)
			}
			admitted++
		}
		if admitted != 1 {
			t.Errorf("%s: %d Deployments", values, admitted)
		}
	}
	violation := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "p-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}}}
	if err := c.Create(context.Background(), violation, client.DryRunAll); err == nil {
		t.Error("the API server does not enforce it")
	}
}

// TestPodsWithCheckpointsRunWhereRestrictedPodSecurityIsEnforced: a pod that does so
// without one does so with one.
func TestPodsWithCheckpointsRunWhereRestrictedPodSecurityIsEnforced(t *testing.T) {
	ns := namespace(t)
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, func(ns *corev1.Namespace) {
		metav1.SetMetaDataLabel(&ns.ObjectMeta, "pod-security.kubernetes.io/enforce", "restricted")
	})
	engine := checkpoint.EngineOf(config.Checkpoint{AgentImage: "agent:1", SeccompProfile: "profiles/block-iouring.json", BasePath: "/checkpoints"})
	for name, prepare := range map[string]func(*corev1.PodTemplateSpec, string){"source": engine.Source, "target": engine.Target} {
		template := parse[corev1.PodTemplate](t, ns, `template: {spec: {containers: [{name: main, image: x, command: [serve], securityContext: {
			runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}`).Template
		prepare(&template, "h")
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.GenerateName = ns, "p-"
		if err := adminClient(t).Create(context.Background(), pod, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package operator

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Without webhooks the controller refuses by the same rules, before it makes
// anything.
func TestABorrowingGraphGetsNothing(t *testing.T) {
	ns := namespace(t)
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Platform = config.Platform{ServiceAccounts: []string{"the-operator"}, Secrets: []string{"webhook-server-cert"}}
	})
	for name, tc := range map[string]struct{ service, want string }{
		"account": {"{extraPodSpec: {serviceAccountName: the-operator, mainContainer: {image: x}}}", "spec.services[S].extraPodSpec.serviceAccountName: Forbidden"},
		"record":  {"{envFromSecret: sh.helm.release.v1.dynamo-platform.v1, extraPodSpec: {mainContainer: {image: x}}}", "spec.services[S].envFromSecret: Forbidden"},
		"key":     {"{extraPodSpec: {volumes: [{name: v, projected: {sources: [{secret: {name: webhook-server-cert}}]}}], mainContainer: {image: x}}}", "volumes[0].projected.sources[0].secret.name: Forbidden"},
		"decoy":   {"{labels: {app.kubernetes.io/part-of: dynamo-operator}, extraPodSpec: {mainContainer: {image: x}}}", "spec.services[S].labels[app.kubernetes.io/part-of]: Forbidden"},
		"host":    {"{ingress: {enabled: true, host: chat.team-b.example.com}, extraPodSpec: {mainContainer: {image: x}}}", "spec.services[S].ingress.host: Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, "metadata: {name: "+name+"}\nspec: {services: {S: "+tc.service+"}}"))
			condition(t, ns, name, says(tc.want))
		})
	}
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)
	absent(t, &appsv1.DeploymentList{}, ns)
}

// A component that looks like a part of another's graph changes nothing there.
func TestADecoyComponentIsNoPartOfAGraph(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")
	decoy := parse[v1alpha1.DynamoComponentDeployment](t, ns, `
metadata: {name: decoy, labels: {nvidia.com/dynamo-graph-deployment-name: chat}}
spec: {serviceName: Worker, annotations: {nvidia.com/restartAt: "1"}, componentType: worker, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
`)
	create(t, decoy)
	deployment := &appsv1.Deployment{}
	get(t, ns, "decoy", deployment)
	if graph := deployment.Spec.Template.Labels[v1alpha1.LabelGraphDeploymentName]; graph != "" {
		t.Errorf("its pods say that they are part of graph %s", graph)
	}
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Restart = &v1alpha1.Restart{ID: "1"} })
	worker := &appsv1.Deployment{}
	cluster.Eventually(t, "the restart reaches the worker", func() error {
		// One service after the other: the frontend has to run again first.
		allRun(t, ns, "", "chat-frontend", "chat-worker")
		get(t, ns, "chat-worker", worker)
		if worker.Spec.Template.Annotations[v1alpha1.AnnotationRestartAt] != "1" {
			return fmt.Errorf("its pods carry %v", worker.Spec.Template.Annotations)
		}
		return nil
	})
}

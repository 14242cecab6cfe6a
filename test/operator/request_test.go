package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	requested = `
metadata: {name: r}
spec:
  model: Qwen/Qwen3-0.6B
  backend: vllm
  autoApply: true
  profilingConfig: {profilerImage: "registry.example.com/profiler:1", config: {sla: {ttft: 50}}}
  deploymentOverrides: {name: chat, labels: {team: a}, annotations: {note: b}, workersImage: "registry.example.com/runtime:2"}
`
	recommended = `
apiVersion: v1
kind: ConfigMap
metadata: {name: planner-profile}
data: {profile: "1"}
---
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: profiled, ownerReferences: [{apiVersion: v1, kind: Secret, name: x, uid: y}], finalizers: [example.com/x]}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:2"}}}
`
)

// profiles is an operator whose configuration is complete for requests.
func profiles(change func(*config.OperatorConfiguration)) func(*config.OperatorConfiguration) {
	return func(cfg *config.OperatorConfiguration) {
		cfg.Profiling.PublisherImage = "registry.example.com/operator:1"
		change(cfg)
	}
}

// profilingAccount is what the chart makes in the namespace of a restricted operator.
func profilingAccount(t *testing.T, namespace string) {
	t.Helper()
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dgdr-profiling-job"}})
}

func requestIs(t *testing.T, namespace string, state v1alpha1.RequestState, condition, reason, text string) *v1alpha1.DynamoGraphDeploymentRequest {
	t.Helper()
	r := &v1alpha1.DynamoGraphDeploymentRequest{}
	cluster.Eventually(t, fmt.Sprintf("the request is %s: %s", state, reason), func() error {
		get(t, namespace, "r", r)
		c := meta.FindStatusCondition(r.Status.Conditions, condition)
		if r.Status.State != state || c == nil || c.Reason != reason || !strings.Contains(c.Message, text) {
			return fmt.Errorf("%+v", r.Status)
		}
		return nil
	})
	return r
}

// publishes does what the second container of a Job's pod does, as its account.
func publishes(t *testing.T, namespace string, results map[string]string) {
	t.Helper()
	account := rest.CopyConfig(shared.Config)
	account.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":dgdr-profiling-job"}
	c, err := client.New(account, client.Options{Scheme: manager.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	patch, err := json.Marshal(map[string]any{"data": results})
	if err != nil {
		t.Fatal(err)
	}
	output := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dgdr-output-r"}}
	cluster.Eventually(t, "the results are written", func() error { // rights are known after a moment
		return c.Patch(context.Background(), output, client.RawPatch(types.MergePatchType, patch))
	})
}

// jobPods plays the kubelet for the pods of a Job until the check is content.
func jobPods(t *testing.T, namespace, job string, status corev1.PodStatus, content func() error) {
	t.Helper()
	cluster.Eventually(t, "pods of Job "+job, func() error {
		var list corev1.PodList
		if err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace), client.MatchingLabels{"batch.kubernetes.io/job-name": job}); err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("there are none")
		}
		for _, pod := range list.Items {
			if pod.Status.Phase == status.Phase && len(pod.Status.InitContainerStatuses) == len(status.InitContainerStatuses) {
				continue
			}
			pod.Status = status
			if err := adminClient(t).Status().Update(context.Background(), &pod); err != nil {
				return err
			}
		}
		return content()
	})
}

var succeeded = corev1.PodStatus{Phase: corev1.PodSucceeded}

// jobSucceeds ends the pods of a Job until it is complete.
func jobSucceeds(t *testing.T, namespace, job string) {
	t.Helper()
	jobPods(t, namespace, job, succeeded, func() error {
		found := &batchv1.Job{}
		get(t, namespace, job, found)
		if found.Status.Succeeded == 0 {
			return fmt.Errorf("%+v", found.Status)
		}
		return nil
	})
}

func TestARequestBecomesAGraph(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	create(t, request)
	r := requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "Job profile-r runs")
	if r.Status.Backend != "vllm" || r.Status.ObservedGeneration != r.Generation || !meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionValidation) {
		t.Errorf("%+v", r.Status)
	}
	for name, allowed := range map[string]bool{"dgdr-output-r": true, "other": false} {
		if mayPatch(t, ns, name) != allowed {
			t.Errorf("the Job may write ConfigMap %s: %t", name, !allowed)
		}
	}

	publishes(t, ns, map[string]string{"config_with_planner.yaml": recommended, "profiler_status.yaml": "status: success"})
	jobSucceeds(t, ns, "profile-r")
	r = requestIs(t, ns, v1alpha1.RequestStateDeploying, v1alpha1.ConditionDeploymentReady, "DeploymentCreated", "chat")
	if r.Status.ProfilingResults != "configmap/dgdr-output-r" || r.Status.GeneratedDeployment == nil || !meta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionSpecGenerated) {
		t.Errorf("%+v", r.Status)
	}
	graph := &v1alpha1.DynamoGraphDeployment{}
	get(t, ns, "chat", graph)
	if graph.Labels["team"] != "a" || graph.Annotations["note"] != "b" || graph.Labels[v1alpha1.LabelRequestName] != "r" || len(graph.OwnerReferences)+len(graph.Finalizers) > 0 {
		t.Errorf("%+v", graph.ObjectMeta)
	}
	data := &corev1.ConfigMap{}
	get(t, ns, "planner-profile", data)
	if !metav1.IsControlledBy(data, graph) {
		t.Errorf("owners %v, want the graph", data.OwnerReferences)
	}

	allRun(t, ns, "chat", "chat-frontend")
	r = requestIs(t, ns, v1alpha1.RequestStateReady, v1alpha1.ConditionDeploymentReady, "DeploymentReady", "chat")
	if d := r.Status.Deployment; d == nil || d.Name != "chat" || d.Namespace != ns || d.State != "successful" || !d.Created {
		t.Errorf("%+v", r.Status.Deployment)
	}
	change(t, graph, func(g *v1alpha1.DynamoGraphDeployment) { g.Spec.Services["Frontend"].Replicas = ptr.To[int32](2) })
	requestIs(t, ns, v1alpha1.RequestStateDeploying, v1alpha1.ConditionDeploymentReady, "DeploymentDegraded", "chat is not ready: Frontend: ")
	allRun(t, ns, "chat", "chat-frontend")
	requestIs(t, ns, v1alpha1.RequestStateReady, v1alpha1.ConditionDeploymentReady, "DeploymentReady", "chat")

	if err := adminClient(t).Delete(context.Background(), graph); err != nil {
		t.Fatal(err)
	}
	requestIs(t, ns, v1alpha1.RequestStateDeploymentDeleted, v1alpha1.ConditionDeploymentReady, "DeploymentDeleted", "chat was deleted")
	warned(t, request, "DeploymentDeleted", "chat was deleted")
}

func mayPatch(t *testing.T, namespace, configMap string) bool {
	t.Helper()
	review := &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	review.Spec.User = "system:serviceaccount:" + namespace + ":dgdr-profiling-job"
	review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "patch", Resource: "configmaps", Name: configMap}
	if err := adminClient(t).Create(context.Background(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

func TestWithoutAutoApplyTheGraphIsOnlyShown(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	request.Spec.AutoApply, request.Spec.UseMocker = false, true
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")

	// A change after the start has no effect, and is told.
	change(t, request, func(r *v1alpha1.DynamoGraphDeploymentRequest) {
		r.Spec.AutoApply, r.Spec.DeploymentOverrides.Name = true, "another"
	})
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionValidation, "SpecChangeRejected", "has no effect")
	warned(t, request, "SpecChangeRejected", "has no effect")

	publishes(t, ns, map[string]string{"mocker_config_with_planner.yaml": recommended})
	jobSucceeds(t, ns, "profile-r")
	r := requestIs(t, ns, v1alpha1.RequestStateReady, v1alpha1.ConditionSpecGenerated, "SpecGenerated", "")
	graph := &v1alpha1.DynamoGraphDeployment{}
	if err := json.Unmarshal(r.Status.GeneratedDeployment.Raw, graph); err != nil || graph.Name != "chat" || graph.Namespace != ns {
		t.Errorf("%+v, %v", graph.ObjectMeta, err)
	}
	absent(t, &v1alpha1.DynamoGraphDeploymentList{}, ns)
	data := &corev1.ConfigMap{}
	if get(t, ns, "planner-profile", data); !metav1.IsControlledBy(data, request) {
		t.Errorf("owners %v, want the request", data.OwnerReferences)
	}
	// What is shown can be applied.
	create(t, graph)
}

// TestARequestMakesNoGraphThatItDoesNotAskFor: neither when a ConfigMap is in its
// way, nor when somebody who may write Jobs says otherwise.
func TestARequestMakesNoGraphThatItDoesNotAskFor(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "planner-profile"}}
	create(t, foreign)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	request.Spec.AutoApply = false
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")
	job := &batchv1.Job{}
	get(t, ns, "profile-r", job)
	change(t, job, func(j *batchv1.Job) {
		j.Annotations["dgdr.nvidia.com/spec"] = strings.Replace(j.Annotations["dgdr.nvidia.com/spec"], "{", `{"autoApply":true,`, 1)
	})
	publishes(t, ns, map[string]string{"config_with_planner.yaml": recommended})
	jobSucceeds(t, ns, "profile-r")
	for range 2 {
		requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionSpecGenerated, "ConfigMapCreationFailed", "planner-profile")
		wake(t, request)
	}
	absent(t, &v1alpha1.DynamoGraphDeploymentList{}, ns)
	if err := adminClient(t).Delete(context.Background(), foreign); err != nil {
		t.Fatal(err)
	}
	wake(t, request)
	requestIs(t, ns, v1alpha1.RequestStateReady, v1alpha1.ConditionSpecGenerated, "SpecGenerated", "")
	absent(t, &v1alpha1.DynamoGraphDeploymentList{}, ns)
}

func TestAFailedProfilingSaysWhy(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")
	noImage := corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{{
		Name: "profiler", Image: "registry.example.com/profiler:1",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}},
	}}}
	jobPods(t, ns, "profile-r", noImage, func() error { return nil })
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "cannot be pulled: not found")

	job := &batchv1.Job{}
	get(t, ns, "profile-r", job)
	change(t, job, func(j *batchv1.Job) { j.Spec.BackoffLimit = ptr.To[int32](0) })
	failed := corev1.PodStatus{Phase: corev1.PodFailed, InitContainerStatuses: []corev1.ContainerStatus{{
		Name: "profiler", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", Message: "Traceback\nValueError: no GPU fits\n"}},
	}}}
	jobPods(t, ns, "profile-r", failed, func() error {
		if get(t, ns, "profile-r", job); job.Status.Failed == 0 {
			return fmt.Errorf("%+v", job.Status)
		}
		return nil
	})
	requestIs(t, ns, v1alpha1.RequestStateFailed, v1alpha1.ConditionProfiling, "ProfilingFailed", "container profiler ended with exit code 3: ValueError: no GPU fits")
	warned(t, request, "ProfilingJobFailed", "no GPU fits")
}

func TestResultsAreLookedAt(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")
	publishes(t, ns, map[string]string{"config_with_planner.yaml": strings.Replace(recommended, "kind: ConfigMap", "kind: Secret", 1)})
	jobSucceeds(t, ns, "profile-r")
	requestIs(t, ns, v1alpha1.RequestStateFailed, v1alpha1.ConditionSpecGenerated, "GenerationFailed", "config_with_planner.yaml: document 1: it is a Secret of v1")
	warned(t, request, "GenerationFailed", "it is a Secret")
	absent(t, &v1alpha1.DynamoGraphDeploymentList{}, ns)
}

func TestWhatARequestNamesMustExist(t *testing.T) {
	ns := namespace(t)
	start(t, profiles(within(ns)))
	profilingAccount(t, ns)
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	request.Spec.ProfilingConfig.ConfigMapRef = &v1alpha1.ConfigMapKeySelector{Name: "base"}
	request.Spec.ProfilingConfig.OutputPVC = "results"
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateFailed, v1alpha1.ConditionValidation, "ValidationFailed", "there is no ConfigMap base with the key disagg.yaml")
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "base"}, Data: map[string]string{"disagg.yaml": "x"}})
	wake(t, request)
	requestIs(t, ns, v1alpha1.RequestStateFailed, v1alpha1.ConditionValidation, "ValidationFailed", "there is no PersistentVolumeClaim results")
	create(t, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "results"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}})
	wake(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")
}

// wake has the operator look at an object at once, instead of a while later.
func wake(t *testing.T, object client.Object) {
	t.Helper()
	change(t, object, func(o client.Object) {
		o.SetAnnotations(map[string]string{"example.com/look": fmt.Sprint(object.GetResourceVersion())})
	})
}

// A request reaches another namespace only where that says so.
func TestARequestMakesAGraphElsewhereWhereItMay(t *testing.T) {
	ns, other := namespace(t), namespace(t)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-profiling-" + ns}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}}}}
	create(t, role)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "gpu-" + ns, Labels: map[string]string{"nvidia.com/gpu.product": "H200", "nvidia.com/gpu.memory": "143771"}}}
	create(t, node)
	t.Cleanup(func() { _ = adminClient(t).Delete(context.Background(), node) }) // nobody else looks at it
	cluster.Eventually(t, "the node has GPUs", func() error {                   // others write its status, too
		get(t, "", node.Name, node)
		node.Status.Allocatable = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")}
		return adminClient(t).Status().Update(context.Background(), node)
	})
	start(t, profiles(func(cfg *config.OperatorConfiguration) { cfg.RBAC.DGDRProfilingClusterRoleName = role.Name }))
	request := parse[v1alpha1.DynamoGraphDeploymentRequest](t, ns, requested)
	request.Spec.EnableGPUDiscovery = true
	request.Spec.DeploymentOverrides.Namespace = other
	create(t, request)
	requestIs(t, ns, v1alpha1.RequestStateProfiling, v1alpha1.ConditionProfiling, "ProfilingRunning", "")
	job := &batchv1.Job{}
	get(t, ns, "profile-r", job)
	if text := job.Spec.Template.Spec.InitContainers[0].Args[1]; !strings.Contains(text, "gpu_model: H200") || !strings.Contains(text, "num_gpus_per_node: 8") {
		t.Errorf("the profiler is told %s", text)
	}
	bound := &rbacv1.RoleBinding{}
	if get(t, ns, "dgdr-profiling-job-binding", bound); bound.RoleRef.Name != role.Name {
		t.Errorf("%+v", bound.RoleRef)
	}

	publishes(t, ns, map[string]string{"config_with_planner.yaml": recommended})
	jobSucceeds(t, ns, "profile-r")
	requestIs(t, ns, v1alpha1.RequestStateDeploying, v1alpha1.ConditionDeploymentReady, "DeploymentCreationFailed",
		fmt.Sprintf("namespace %s does not let requests of namespace %s create dynamographdeployments: make the request there", other, ns))
	absent(t, &v1alpha1.DynamoGraphDeploymentList{}, other)
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "dynamo-graphs-edit"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"dynamographdeployments"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
	}})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: "requests-of-" + ns},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "dynamo-graphs-edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "dgdr-profiling-job"}},
	})
	cluster.Eventually(t, "the graph is made there", func() error {
		wake(t, request)
		return adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: other, Name: "chat"}, &v1alpha1.DynamoGraphDeployment{})
	})
	allRun(t, other, "chat", "chat-frontend")
	requestIs(t, ns, v1alpha1.RequestStateReady, v1alpha1.ConditionDeploymentReady, "DeploymentReady", "")
}

package operator

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const gangGraph = `
metadata: {name: gang}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    Worker:
      componentType: worker
      replicas: 1
      scalingAdapter: {enabled: true}
      multinode: {nodeCount: 3}
      resources: {limits: {gpu: "1"}}
      extraPodSpec:
        mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.sglang]}
`

func throughGrove(namespace string) func(*config.OperatorConfiguration) {
	return func(cfg *config.OperatorConfiguration) {
		within(namespace)(cfg)
		cfg.Orchestrators.Grove.Enabled = true
	}
}

// TestAGraphRunsThroughGrove takes a gang through its life, on Grove's own API
// under a stand-in of its controller.
func TestAGraphRunsThroughGrove(t *testing.T) {
	ns := namespace(t)
	cluster.InstallGrove(t, adminClient(t))
	playGrove(t, ns)
	operator := start(t, throughGrove(ns))
	gang := parse[v1alpha1.DynamoGraphDeployment](t, ns, gangGraph)
	create(t, gang)
	chosen(t, ns, "gang", "Grove")
	isOneGang(t, ns)

	setStatus(t, ns, "gang-frontend", corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "InvalidImageName", Message: "no such name"}},
	}}})
	condition(t, ns, "gang", says("InvalidImageName: no such name; Worker: 0/1 groups ready"))
	settle := func(check func(metav1.Condition) bool) {
		t.Helper()
		cluster.Eventually(t, "the pods run and the graph says so", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			return reported(t, ns, "gang", check)
		})
	}
	settle(isReady)
	services := func() map[string]v1alpha1.ServiceReplicaStatus {
		get(t, ns, "gang", gang)
		return gang.Status.Services
	}
	hasServices(t, ns, services())

	t.Run("a settled graph is not written", func(t *testing.T) {
		cluster.Eventually(t, "the adapter has seen it, too", func() error {
			adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{}
			get(t, ns, "gang-worker", adapter)
			if adapter.Status.Replicas != 1 || adapter.Status.Selector == "" {
				return fmt.Errorf("%+v", adapter.Status)
			}
			return nil
		})
		before := operator.settled(t)
		change(t, gang, func(d *v1alpha1.DynamoGraphDeployment) { d.Annotations = map[string]string{"example.com/note": "a"} })
		condition(t, ns, "gang", isReady)
		if n := operator.writes.Load() - before; n > 0 {
			t.Errorf("%d writes for nothing", n)
		}
	})
	t.Run("an adapter scales the group, and nobody scales it back", func(t *testing.T) {
		adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{}
		get(t, ns, "gang-worker", adapter)
		scale(t, adapter, 2)
		cluster.Eventually(t, "two groups", func() error {
			group := &grove.PodCliqueScalingGroup{}
			get(t, ns, "gang-0-worker", group)
			if group.Spec.Replicas != 2 {
				return fmt.Errorf("%d groups", group.Spec.Replicas)
			}
			return nil
		})
		settle(isReady)
		if w := services()["Worker"]; w.Replicas != 2 {
			t.Errorf("the status of the worker is %+v", w)
		}
		scale(t, adapter, 1)
		cluster.Eventually(t, "one group again", func() error {
			if w := services()["Worker"]; w.Replicas != 1 || ptr.Deref(w.AvailableReplicas, 0) != 1 {
				return fmt.Errorf("%+v", w)
			}
			return reported(t, ns, "gang", isReady)
		})
	})
	t.Run("who scales a service without replicas is left alone", func(t *testing.T) {
		clique := &grove.PodClique{}
		get(t, ns, "gang-0-frontend", clique)
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":2}}`))
		if err := adminClient(t).Patch(context.Background(), clique, patch); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, "two frontends", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			if f := services()["Frontend"]; ptr.Deref(f.ReadyReplicas, 0) != 2 {
				return fmt.Errorf("%+v", f)
			}
			return reported(t, ns, "gang", isReady)
		})
	})
	t.Run("a restart replaces the pods, one service after the other", func(t *testing.T) {
		before := podUIDs(t, ns)
		change(t, gang, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Restart = &v1alpha1.Restart{ID: "1"} })
		cluster.Eventually(t, "the restart is over", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			get(t, ns, "gang", gang)
			if r := gang.Status.Restart; r == nil || r.ObservedID != "1" || r.Phase != v1alpha1.RestartPhaseCompleted {
				return fmt.Errorf("%+v", r)
			}
			return reported(t, ns, "gang", isReady)
		})
		for uid := range podUIDs(t, ns) {
			if before[uid] {
				t.Errorf("pod %s is still there", uid)
			}
		}
	})
	t.Run("what Grove cannot change is refused, and runs on", func(t *testing.T) {
		change(t, gang, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Multinode.NodeCount = 2 })
		condition(t, ns, "gang", says("Unsupported: Grove lets nobody change"))
		change(t, gang, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Multinode.NodeCount = 3 })
		settle(isReady)
	})
}

// TestGroveComesAndGoes: the graph waits for an API that it needs, and one that
// runs through Grove for its API to come back.
func TestGroveComesAndGoes(t *testing.T) {
	ns := namespace(t)
	playGrove(t, ns)
	start(t, throughGrove(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, gangGraph))
	condition(t, ns, "gang", says("MultinodeOrchestratorNotAvailable: service Worker: multinode.nodeCount is above 1"))
	runs := func() {
		t.Helper()
		chosen(t, ns, "gang", "Grove")
		cluster.Eventually(t, "the gang runs", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			return reported(t, ns, "gang", isReady)
		})
	}
	api := cluster.InstallGrove(t, adminClient(t))
	runs()
	api.Remove(t)
	condition(t, ns, "gang", says("MultinodeOrchestratorNotAvailable: the graph is to run through Grove"))
	chosen(t, ns, "gang", "Grove")
	cluster.InstallGrove(t, adminClient(t))
	runs()
}

// TestAChangeOfPathwayMovesAGraph in both directions, and only when its author
// says so.
func TestAChangeOfPathwayMovesAGraph(t *testing.T) {
	ns := namespace(t)
	playGrove(t, ns)
	start(t, throughGrove(ns))
	graph := chatGraph(t, ns)
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")
	cluster.InstallGrove(t, adminClient(t))
	cluster.Eventually(t, "the author is told of Grove", func() error {
		return hasChosen(t, ns, "chat", metav1.ConditionTrue, "Deployment", `the annotation nvidia.com/enable-grove: "true" moves it to Grove`)
	})
	absent(t, &grove.PodCliqueSetList{}, ns)

	change(t, graph, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Annotations = map[string]string{v1alpha1.AnnotationEnableGrove: "true"}
	})
	chosen(t, ns, "chat", "Grove")
	for _, name := range []string{"chat-frontend", "chat-worker"} {
		gone(t, ns, name, &appsv1.Deployment{})
	}
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)
	serviceOf(t, ns, "chat-frontend", v1alpha1.KindGraphDeployment)
	cluster.Eventually(t, "it runs through Grove", func() error {
		play(t, ns, func(*corev1.Pod) bool { return true })
		return reported(t, ns, "chat", isReady)
	})

	change(t, graph, func(d *v1alpha1.DynamoGraphDeployment) { d.Annotations[v1alpha1.AnnotationEnableGrove] = "False" })
	chosen(t, ns, "chat", "Deployment")
	gone(t, ns, "chat", &grove.PodCliqueSet{})
	allRun(t, ns, "chat", "chat-frontend", "chat-worker")
	serviceOf(t, ns, "chat-frontend", v1alpha1.KindComponentDeployment)
}

// TestAGraphThatLeavesGroveLeavesNothingBehind: its workers get names of their
// generation, and one service goes, so that nobody takes their Services over.
func TestAGraphThatLeavesGroveLeavesNothingBehind(t *testing.T) {
	ns := namespace(t)
	cluster.InstallGrove(t, adminClient(t))
	playGrove(t, ns)
	start(t, throughGrove(ns))
	graph := parse[v1alpha1.DynamoGraphDeployment](t, ns, pair)
	other := graph.Spec.Services["Frontend"].DeepCopy()
	graph.Spec.Services["Extra"] = other
	create(t, graph)
	chosen(t, ns, "pair", "Grove")
	for _, name := range []string{"pair-frontend", "pair-decode", "pair-prefill", "pair-extra"} {
		serviceOf(t, ns, name, v1alpha1.KindGraphDeployment)
	}

	change(t, graph, func(d *v1alpha1.DynamoGraphDeployment) {
		d.Annotations = map[string]string{v1alpha1.AnnotationEnableGrove: "false"}
		delete(d.Spec.Services, "Extra")
	})
	chosen(t, ns, "pair", "Deployment")
	for _, name := range []string{"pair-decode", "pair-prefill", "pair-extra"} {
		gone(t, ns, name, &corev1.Service{})
	}
	hash := hashOf(t, ns)
	for _, name := range []string{"pair-frontend", "pair-decode-" + hash, "pair-prefill-" + hash} {
		serviceOf(t, ns, name, v1alpha1.KindComponentDeployment)
	}
	allRun(t, ns, "pair", "pair-frontend", "pair-decode-"+hash, "pair-prefill-"+hash)
}

// TestWhatAWebhookDeniesIsSaidAndNotTriedForEver: Grove's own webhook denies with
// the code of a missing right.
func TestWhatAWebhookDeniesIsSaidAndNotTriedForEver(t *testing.T) {
	ns := namespace(t)
	cluster.InstallGrove(t, adminClient(t))
	denySets(t, ns)
	start(t, throughGrove(ns))
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, gangGraph))
	// A reason of its own: what is tried again has that of an error.
	condition(t, ns, "gang", says(`ValidationFailed: apply PodCliqueSet `+ns+`/gang: admission webhook "sets.grove.example.com" denied the request: no gang today`))
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if get(t, ns, "gang", dgd); dgd.Status.State != v1alpha1.GraphStateFailed {
		t.Errorf("the state is %s", dgd.Status.State)
	}
}

// denySets denies each PodCliqueSet of a namespace.
func denySets(t *testing.T, namespace string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{
			Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no gang today",
		}}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	hook := &admissionregv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "deny-" + namespace},
		Webhooks: []admissionregv1.ValidatingWebhook{{
			Name: "sets.grove.example.com", ClientConfig: admissionregv1.WebhookClientConfig{URL: &server.URL, CABundle: bundle},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			Rules: []admissionregv1.RuleWithOperations{{
				Operations: []admissionregv1.OperationType{admissionregv1.Create, admissionregv1.Update},
				Rule:       admissionregv1.Rule{APIGroups: []string{"grove.io"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"podcliquesets"}},
			}},
			SideEffects: ptr.To(admissionregv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if err := adminClient(t).Create(context.Background(), hook); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = adminClient(t).Delete(context.Background(), hook) })
	// It counts once the API server knows it.
	probe := &grove.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}, Spec: grove.PodCliqueSetSpec{Template: grove.PodCliqueSetTemplate{Cliques: []grove.PodCliqueTemplate{}}}}
	cluster.Eventually(t, "the webhook is asked", func() error {
		if err := adminClient(t).Create(context.Background(), probe.DeepCopyObject().(client.Object), client.DryRunAll); err == nil || !strings.Contains(err.Error(), "no gang today") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
}

// serviceOf waits until a Service belongs to an object of a kind.
func serviceOf(t *testing.T, namespace, name, kind string) {
	t.Helper()
	cluster.Eventually(t, name+" belongs to a "+kind, func() error {
		service := &corev1.Service{}
		if err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, service); err != nil {
			return err
		}
		if owner := metav1.GetControllerOf(service); owner == nil || owner.Kind != kind {
			return fmt.Errorf("it belongs to %+v", owner)
		}
		return nil
	})
}

// isOneGang looks at what Grove is given.
func isOneGang(t *testing.T, ns string) {
	t.Helper()
	set := &grove.PodCliqueSet{}
	get(t, ns, "gang", set)
	if cliques := set.Spec.Template.Cliques; len(cliques) != 3 || cliques[2].Name != "worker-wkr" || cliques[2].Spec.MinAvailable != 2 {
		t.Errorf("the cliques are %+v", cliques)
	}
	absent(t, &v1alpha1.DynamoComponentDeploymentList{}, ns)
}

// hasServices looks at what the graph says of its services, and where they lead.
func hasServices(t *testing.T, ns string, services map[string]v1alpha1.ServiceReplicaStatus) {
	t.Helper()
	if f := services["Frontend"]; f.ComponentKind != "PodClique" || f.ComponentName != "gang-0-frontend" || f.Replicas != 1 || ptr.Deref(f.ReadyReplicas, 0) != 1 {
		t.Errorf("the status of the frontend is %+v", f)
	}
	if w := services["Worker"]; w.ComponentKind != "PodCliqueScalingGroup" || w.ComponentName != "gang-0-worker" || w.UpdatedReplicas != 1 || ptr.Deref(w.AvailableReplicas, 0) != 1 {
		t.Errorf("the status of the worker is %+v", w)
	}
	service := &corev1.Service{}
	get(t, ns, "gang-worker", service)
	if n := len(podsOf(t, ns, metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: service.Spec.Selector}))); n != 1 {
		t.Errorf("the Service of the worker leads to %d pods, want the leader alone", n)
	}
}

func chosen(t *testing.T, namespace, graph, reason string) {
	t.Helper()
	cluster.Eventually(t, "the pathway is "+reason, func() error {
		return hasChosen(t, namespace, graph, metav1.ConditionTrue, reason, "")
	})
}

func hasChosen(t *testing.T, namespace, graph string, status metav1.ConditionStatus, reason, message string) error {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, graph, dgd)
	found := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionPathwayChosen)
	if found == nil || found.Status != status || found.Reason != reason || !strings.Contains(found.Message, message) {
		return fmt.Errorf("it is %+v", found)
	}
	return nil
}

// reported is nil once the graph reports on its present generation what check wants.
func reported(t *testing.T, namespace, graph string, check func(metav1.Condition) bool) error {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, graph, dgd)
	ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return errors.New("it says nothing")
	case ready.ObservedGeneration != dgd.Generation || !check(*ready):
		return errors.New(ready.Message)
	}
	return nil
}

func podUIDs(t *testing.T, namespace string) map[string]bool {
	t.Helper()
	var list corev1.PodList
	if err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for i := range list.Items {
		found[string(list.Items[i].UID)] = true
	}
	return found
}

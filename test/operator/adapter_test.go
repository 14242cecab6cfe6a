package operator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// scaledGraph is the graph chat, whose worker has a scaling adapter.
func scaledGraph(t *testing.T, namespace string) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, namespace, chat)
	dgd.Spec.Services["Worker"].Replicas = ptr.To[int32](2)
	dgd.Spec.Services["Worker"].ScalingAdapter = &v1alpha1.ScalingAdapter{Enabled: true}
	create(t, dgd)
	return dgd
}

func adapterOf(t *testing.T, namespace string) *v1alpha1.DynamoGraphDeploymentScalingAdapter {
	t.Helper()
	adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{}
	get(t, namespace, "chat-worker", adapter)
	return adapter
}

// scale does what kubectl scale and a HorizontalPodAutoscaler do.
func scale(t *testing.T, adapter client.Object, replicas int32) {
	t.Helper()
	body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	err := adminClient(t).SubResource("scale").Patch(context.Background(), adapter,
		client.RawPatch("application/merge-patch+json", patch), client.WithSubResourceBody(body))
	if err != nil {
		t.Fatal(err)
	}
}

// hasReplicas waits until the worker has so many replicas wherever one looks.
func hasReplicas(t *testing.T, namespace string, want int32) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d replicas", want), func() error {
		dgd, deployment := &v1alpha1.DynamoGraphDeployment{}, &appsv1.Deployment{}
		get(t, namespace, "chat", dgd)
		get(t, namespace, "chat-worker", deployment)
		spec, runs := dgd.Spec.Services["Worker"].DesiredReplicas(), *deployment.Spec.Replicas
		seen := adapterOf(t, namespace).Status.Replicas
		if spec != want || runs != want || seen != want {
			return fmt.Errorf("%d in the graph, %d in the Deployment, %d in the adapter's status", spec, runs, seen)
		}
		return nil
	})
}

func TestAServiceIsScaledThroughItsAdapter(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := scaledGraph(t, ns)
	hasReplicas(t, ns, 2)

	adapter := adapterOf(t, ns)
	if !metav1.IsControlledBy(adapter, dgd) {
		t.Errorf("owners %v, want the graph", adapter.OwnerReferences)
	}
	read := &autoscalingv1.Scale{}
	if err := adminClient(t).SubResource("scale").Get(context.Background(), adapter, read); err != nil {
		t.Fatal(err)
	}
	const selector = "nvidia.com/dynamo-component=Worker,nvidia.com/dynamo-graph-deployment-name=chat"
	if read.Status.Selector != selector || read.Status.Replicas != 2 || len(podsOf(t, ns, selector)) != 2 {
		t.Errorf("scale %+v with %d pods of this selector, want 2 and %s", read.Status, len(podsOf(t, ns, selector)), selector)
	}

	scale(t, adapter, 3)
	hasReplicas(t, ns, 3)
	if adapter = adapterOf(t, ns); adapter.Status.LastScaleTime == nil || adapter.Status.ObservedGeneration != adapter.Generation {
		t.Errorf("status %+v of generation %d", adapter.Status, adapter.Generation)
	}
	scale(t, adapter, 0)
	hasReplicas(t, ns, 0)
	if err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "chat-frontend"}, adapter); !apierrors.IsNotFound(err) {
		t.Errorf("an adapter of the frontend, which asks for none: %v", err)
	}
}

// TestTheGraphDoesNotFightItsAdapter: a file applied again says what it said on
// the first day.
func TestTheGraphDoesNotFightItsAdapter(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := scaledGraph(t, ns)
	hasReplicas(t, ns, 2)
	scale(t, adapterOf(t, ns), 4)
	hasReplicas(t, ns, 4)

	deployment := &appsv1.Deployment{}
	get(t, ns, "chat-worker", deployment)
	generation := deployment.Generation
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Replicas = ptr.To[int32](1) })
	edited := dgd.Generation
	cluster.Eventually(t, "the graph says 4 again", func() error {
		if get(t, ns, "chat", dgd); dgd.Status.ObservedGeneration <= edited || dgd.Spec.Services["Worker"].DesiredReplicas() != 4 {
			return fmt.Errorf("%d replicas, generation %d of %d", dgd.Spec.Services["Worker"].DesiredReplicas(), dgd.Status.ObservedGeneration, dgd.Generation)
		}
		return nil
	})
	if get(t, ns, "chat-worker", deployment); deployment.Generation != generation || *deployment.Spec.Replicas != 4 {
		t.Errorf("the Deployment went from generation %d to %d and has %d replicas: a file must not stop pods", generation, deployment.Generation, *deployment.Spec.Replicas)
	}
}

// TestAHorizontalPodAutoscalerIsNotFought has Kubernetes' own autoscaler hold its
// bounds, for which it needs no metrics, while the graph's file is applied again.
func TestAHorizontalPodAutoscalerIsNotFought(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := scaledGraph(t, ns)
	hasReplicas(t, ns, 2)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat-worker"}}
	hpa.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindScalingAdapter, Name: "chat-worker",
		},
		MinReplicas: ptr.To[int32](3), MaxReplicas: 5,
	}
	create(t, hpa)
	cluster.Eventually(t, "the autoscaler finds its target", func() error {
		get(t, ns, hpa.Name, hpa)
		for _, c := range hpa.Status.Conditions {
			if c.Type == autoscalingv2.AbleToScale && c.Status == "True" {
				return nil
			}
		}
		return fmt.Errorf("%+v", hpa.Status)
	})
	hasReplicas(t, ns, 3)

	scaled := adapterOf(t, ns).Generation
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Replicas = ptr.To[int32](1) })
	hasReplicas(t, ns, 3)
	if now := adapterOf(t, ns).Generation; now != scaled {
		t.Errorf("the adapter went from generation %d to %d: the file reached what the autoscaler owns", scaled, now)
	}
	change(t, hpa, func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.MinReplicas, h.Spec.MaxReplicas = ptr.To[int32](1), 2
	})
	hasReplicas(t, ns, 2)
}

func TestAnAdapterGoesWithWhatAskedForIt(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	dgd := scaledGraph(t, ns)
	hasReplicas(t, ns, 2)
	scale(t, adapterOf(t, ns), 3)
	hasReplicas(t, ns, 3)
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].ScalingAdapter = nil })
	gone(t, ns, "chat-worker", &v1alpha1.DynamoGraphDeploymentScalingAdapter{})
	deployment := &appsv1.Deployment{}
	if get(t, ns, "chat-worker", deployment); *deployment.Spec.Replicas != 3 {
		t.Errorf("%d replicas without the adapter, want the 3 of its last day", *deployment.Spec.Replicas)
	}
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Replicas = ptr.To[int32](1) })
	cluster.Eventually(t, "the graph's own replicas count again", func() error {
		if get(t, ns, "chat-worker", deployment); *deployment.Spec.Replicas != 1 {
			return fmt.Errorf("%d replicas", *deployment.Spec.Replicas)
		}
		return nil
	})
}

// TestAnAdapterMadeByHandSaysThatItHasNoEffect in an event, because its status
// has no place for it.
func TestAnAdapterMadeByHandSaysThatItHasNoEffect(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	scaledGraph(t, ns)
	hasReplicas(t, ns, 2)
	for name, tc := range map[string]struct{ graph, service, want string }{
		"no-graph":   {"other", "Worker", "there is no graph other"},
		"no-service": {"chat", "Decode", "graph chat has no service Decode"},
		"not-asked":  {"chat", "Frontend", "graph chat does not set spec.services[Frontend].scalingAdapter.enabled"},
		"second":     {"chat", "Worker", "graph chat has an adapter of its own for service Worker: scale chat-worker"},
	} {
		t.Run(name, func(t *testing.T) {
			adapter := &v1alpha1.DynamoGraphDeploymentScalingAdapter{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
			adapter.Spec.Replicas = 7
			adapter.Spec.DGDRef = v1alpha1.DynamoGraphDeploymentServiceRef{Name: tc.graph, ServiceName: tc.service}
			create(t, adapter)
			warned(t, adapter, "NoEffect", tc.want)
		})
	}
	hasReplicas(t, ns, 2)
}

// warned waits for a warning about an object.
func warned(t *testing.T, object client.Object, reason, text string) {
	t.Helper()
	cluster.Eventually(t, "a warning about "+object.GetName(), func() error {
		var events eventsv1.EventList
		if err := adminClient(t).List(context.Background(), &events, client.InNamespace(object.GetNamespace())); err != nil {
			return err
		}
		var others []string
		for _, e := range events.Items {
			if e.Regarding.UID != object.GetUID() || e.Type != "Warning" {
				continue
			}
			if e.Reason == reason && strings.Contains(e.Note, text) {
				return nil
			}
			others = append(others, e.Reason+": "+e.Note)
		}
		return fmt.Errorf("warnings %q, want %s: …%s…", others, reason, text)
	})
}

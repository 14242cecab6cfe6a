package operator

import (
	"context"
	"fmt"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// acted waits until some operator has reported on the graph "chat".
func acted(t *testing.T, namespace string) {
	t.Helper()
	condition(t, namespace, "chat", says("some_resources_are_not_ready"))
}

// untouched fails if an operator has reported on the graph "chat".
func untouched(t *testing.T, namespace string) {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if get(t, namespace, "chat", dgd); len(dgd.Status.Conditions) > 0 {
		t.Errorf("an operator acted in namespace %s: %+v", namespace, dgd.Status)
	}
}

func TestARestrictedOperatorClaimsItsNamespace(t *testing.T) {
	mine, other := namespace(t), namespace(t)
	operator := start(t, within(mine))
	chatGraph(t, mine)
	chatGraph(t, other)
	acted(t, mine)
	untouched(t, other)

	marker := &coordinationv1.Lease{}
	get(t, mine, scope.MarkerName, marker)
	if lease.Duration(marker) <= 0 || marker.Spec.RenewTime == nil {
		t.Errorf("the marker is not valid from the start: %+v", marker.Spec)
	}
	if err := operator.stop(); err != nil {
		t.Fatal(err)
	}
	gone(t, mine, scope.MarkerName, marker)
}

func TestAClusterWideOperatorRespectsClaims(t *testing.T) {
	claimed, free := namespace(t), namespace(t)
	now := metav1.NowMicro()
	create(t, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: claimed, Name: scope.MarkerName},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("somebody"), AcquireTime: &now, LeaseDurationSeconds: ptr.To[int32](8),
		},
	})
	chatGraph(t, claimed)
	chatGraph(t, free)
	start(t, everywhere)
	acted(t, free)
	acted(t, claimed) // when the claim has expired, without any other event
	if time.Since(now.Time) < 8*time.Second {
		t.Error("the operator acted before the claim expired")
	}
}

func TestAReleasedNamespaceIsTakenOver(t *testing.T) {
	ns, free := namespace(t), namespace(t)
	now := metav1.NowMicro()
	marker := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: scope.MarkerName},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("somebody"), RenewTime: &now, LeaseDurationSeconds: ptr.To[int32](3600),
		},
	}
	create(t, marker)
	chatGraph(t, ns)
	chatGraph(t, free)
	start(t, everywhere)
	acted(t, free)
	untouched(t, ns)
	if err := adminClient(t).Delete(context.Background(), marker); err != nil {
		t.Fatal(err)
	}
	acted(t, ns)
}

func TestOneOfTwoReplicasActsAndTheOtherTakesOver(t *testing.T) {
	ns := namespace(t)
	elected := func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.LeaderElection.Enabled = true
		cfg.LeaderElection.Namespace = ns
	}
	leader := start(t, elected)
	cluster.Eventually(t, "a leader", func() error {
		lease := &coordinationv1.Lease{}
		err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "dynamo.nvidia.com"}, lease)
		if err == nil && ptr.Deref(lease.Spec.HolderIdentity, "") == "" {
			err = fmt.Errorf("nobody holds the lease")
		}
		return err
	})
	standby := start(t, elected)
	dgd := chatGraph(t, ns)
	acted(t, ns)
	if n := standby.writes.Load(); n > 0 {
		t.Errorf("the standby wrote %d times", n)
	}
	if err := leader.stop(); err != nil {
		t.Fatal(err)
	}
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Replicas = ptr.To[int32](2) })
	condition(t, ns, "chat", says("Worker: 0/2 ready"))
	if standby.writes.Load() == 0 {
		t.Error("the standby has not taken over")
	}
}

func TestPlannersGetTheirAccess(t *testing.T) {
	ns := namespace(t)
	// Left over from a release of another name. What a binding refers to
	// cannot be changed, so it has to be replaced.
	old := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
		Namespace: ns, Name: "planner-serviceaccount-binding", Labels: map[string]string{render.ManagedByLabel: render.Manager},
	}}
	old.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "former"}
	create(t, old)
	start(t, everywhere)
	create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, "{metadata: {name: chat}, spec: {services: {P: {componentType: planner, extraPodSpec: {mainContainer: {image: x}}}}}}"))
	acted(t, ns)
	get(t, ns, "planner-serviceaccount", &corev1.ServiceAccount{})
	binding := &rbacv1.RoleBinding{}
	get(t, ns, "planner-serviceaccount-binding", binding)
	if binding.RoleRef.Name != plannerRole || len(binding.OwnerReferences) > 0 {
		t.Errorf("binding %+v, want one to %s that no graph owns", binding, plannerRole)
	}
}

func TestWithoutAPlannerThereIsNoPlannersAccess(t *testing.T) {
	ns := namespace(t)
	start(t, everywhere)
	chatGraph(t, ns)
	acted(t, ns)
	err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: ns, Name: "planner-serviceaccount"}, &corev1.ServiceAccount{})
	if client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("got %v, want the ServiceAccount not to exist", err)
	}
}

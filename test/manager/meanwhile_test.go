package manager

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Between a plan and the lock, or the answer to a question, somebody else may
// install a cluster-wide operator. The plan that did not know it is not
// executed.
func TestAnOperatorThatComesMeanwhile(t *testing.T) {
	c := cluster.Start(t)
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	release := holdLock(t, kube, "ours")
	ours := writeFleet(t, "metadata: {name: ours}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: ours}]}\n")
	type answer struct {
		out string
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		out, err := wheelhouse(t, c, "apply", "-f", ours, "--no-wait")
		answers <- answer{out, err}
	}()
	awaitRequest(t, c, "leases", "wheelhouse-ours")

	theirs := writeFleet(t, "metadata: {name: theirs}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: theirs, scope: cluster}]}\n")
	if out, err := wheelhouse(t, c, "apply", "-f", theirs, "--no-wait"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	release()
	got := <-answers
	for _, want := range []string{"the cluster has changed meanwhile; planning again", "conflicts with release theirs/dynamo-platform (scope cluster", "[C-20]"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if got.err == nil || t.Failed() {
		t.Errorf("%v\n%s", got.err, got.out)
	}
	if _, err := kube.CoreV1().Namespaces().Get(t.Context(), "ours", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("namespace ours: %v", err)
	}
}

// holdLock is another client at work on a fleet.
func holdLock(t *testing.T, kube kubernetes.Interface, fleet string) (release func()) {
	t.Helper()
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "wheelhouse-system"}}
	if _, err := kube.CoreV1().Namespaces().Create(t.Context(), home, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	leases, now := kube.CoordinationV1().Leases(home.Name), metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "wheelhouse-" + fleet},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("somebody"), LeaseDurationSeconds: ptr.To(int32(600)), AcquireTime: &now, RenewTime: &now,
		},
	}
	if _, err := leases.Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := leases.Delete(t.Context(), lease.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitRequest waits until wheelhouse has asked for an object.
func awaitRequest(t *testing.T, c *cluster.Cluster, resource, name string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 2*time.Minute; {
		asked, err := c.Requests("wheelhouse/", began.Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range asked {
			if r.ObjectRef.Resource == resource && r.ObjectRef.Name == name {
				return
			}
		}
	}
	t.Fatalf("nobody asked for %s %s", resource, name)
}

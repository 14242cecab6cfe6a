package attacks

import (
	"context"
	"fmt"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// skews are clocks that are wrong.
var skews = []time.Duration{-time.Hour, -time.Minute, time.Minute, time.Hour}

// stranger writes a fleet's lock as a client with another clock does.
type stranger struct {
	session *cluster.Cluster
	lease   *coordinationv1.Lease
	skew    time.Duration
}

func newStranger(t *testing.T, session *cluster.Cluster, namespace, fleet string, seconds int, skew time.Duration) *stranger {
	t.Helper()
	_, err := session.Kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	s := &stranger{session: session, skew: skew}
	now := ptr.To(metav1.NewMicroTime(time.Now().Add(skew)))
	s.lease, err = session.Kube.CoordinationV1().Leases(namespace).Create(t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "wheelhouse-" + fleet},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("a stranger"), LeaseDurationSeconds: ptr.To(int32(seconds)), AcquireTime: now, RenewTime: now,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// renew tells whether the stranger still has the lock.
func (s *stranger) renew(ctx context.Context) bool {
	next := s.lease.DeepCopy()
	next.Spec.RenewTime = ptr.To(metav1.NewMicroTime(time.Now().Add(s.skew)))
	updated, err := s.session.Kube.CoordinationV1().Leases(next.Namespace).Update(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return false
	}
	s.lease = updated
	return true
}

func TestWrongClocksMakeNoSecondWriter(t *testing.T) {
	a := begin(t)
	session := newSession(t)
	for i, skew := range skews {
		name := fmt.Sprintf("clock-%d", i)
		s := newStranger(t, session, "attack-"+name, name, 20, skew)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		go func() {
			for ctx.Err() == nil {
				s.renew(t.Context())
				time.Sleep(200 * time.Millisecond)
			}
		}()
		lock, err := newSession(t).Ledger("attack-"+name, name, "me").Acquire(ctx, func(string) {})
		cancel()
		if err == nil {
			lock.Release(rollout.EndedTold)
			a.broke("with its clock off by %s, the lock of a living holder was taken", skew)
		}
	}
	a.came("clocks off by %v: waited for", skews)
}

func TestADeadHolderIsWaitedForNoLongerThanItsLease(t *testing.T) {
	a := begin(t)
	session := newSession(t)
	for i, skew := range skews {
		name := fmt.Sprintf("dead-%d", i)
		newStranger(t, session, "attack-"+name, name, 2, skew)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		lock, err := newSession(t).Ledger("attack-"+name, name, "me").Acquire(ctx, func(string) {})
		cancel()
		if err != nil {
			a.broke("with its clock off by %s, a dead holder is still waited for: %v", skew, err)
			continue
		}
		if waited := time.Since(began); waited < 2*time.Second {
			a.broke("with its clock off by %s, the lock was taken after %s", skew, waited)
		}
		lock.Release(rollout.EndedTold)
	}
	a.came("clocks off by %v: taken after the 2s of the lease", skews)
}

func TestADeletedLockEndsItsHolder(t *testing.T) {
	a := begin(t)
	first, second := newSession(t), newSession(t)
	lock, err := first.Ledger("attack-deleted", "deleted", "first").Acquire(t.Context(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release(rollout.EndedUntold)
	leases := second.Kube.CoordinationV1().Leases("attack-deleted")
	if err := leases.Delete(t.Context(), "wheelhouse-deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	taken, err := second.Ledger("attack-deleted", "deleted", "second").Acquire(t.Context(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Release(rollout.EndedTold)
	began := time.Now()
	select {
	case <-first.Broken():
	case <-time.After(time.Minute):
		a.broke("a minute later it still goes on")
		return
	}
	took := time.Since(began)
	_, err = first.Kube.CoreV1().ConfigMaps("attack-deleted").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
	if err == nil {
		a.broke("it still writes")
	}
	a.came("it ended after %s: %v", took.Round(time.Second), first.Cause())
}

// A note on the lock, or a renewal whose answer is lost, makes the Lease another
// version than the one that its holder knows.
func TestANotedLockIsGivenBack(t *testing.T) {
	a := begin(t)
	c := newSession(t)
	leases := c.Kube.CoordinationV1().Leases("attack-noted")
	for _, ending := range []rollout.Ending{rollout.EndedTold, rollout.EndedForGood} {
		lock, err := c.Ledger("attack-noted", "noted", "holder").Acquire(t.Context(), func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		note := []byte(`{"metadata":{"annotations":{"example.com/note":"hello"}}}`)
		if _, err := leases.Patch(t.Context(), "wheelhouse-noted", types.MergePatchType, note, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		lock.Release(ending)
		left, err := leases.Get(t.Context(), "wheelhouse-noted", metav1.GetOptions{})
		switch {
		case ending == rollout.EndedForGood && !apierrors.IsNotFound(err):
			a.broke("ended for good, the lock is still there: %v", err)
		case ending == rollout.EndedTold && (err != nil || ptr.Deref(left.Spec.HolderIdentity, "") != ""):
			a.broke("the lock is still held: %v", err)
		}
	}
	a.came("given back and deleted")
}

// newSession is a client of the administrator.
func newSession(t *testing.T) *cluster.Cluster {
	t.Helper()
	connection, err := session.New(shared.Config)
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.New(connection)
	t.Cleanup(c.Close)
	return c
}

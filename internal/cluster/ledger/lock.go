package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// fenceLimit is how old the last renewal of the lock may be when a request that
// writes leaves. Others respect the lock for longer, by the margin of one
// heartbeat: for what is under way, and for clocks that run differently fast.
const fenceLimit = lockDuration - lockHeartbeat

// lockLook is the pause between two looks at a lock that somebody else holds.
const lockLook = time.Second

// errGivenBack stops what would write after its run.
var errGivenBack = errors.New("the fleet's lock has been given back")

func (l *Ledger) leaseName() string { return "wheelhouse-" + l.fleet }

// lock takes the lock, and guards what passes a fence with it.
func (l *Ledger) lock(ctx context.Context, report func(string), fence *session.Fence) (*rollout.Lock, error) {
	ctx = session.PastFence(ctx)
	lock := &rollout.Lock{}
	observer := lease.NewObserver(lease.Awake)
	for {
		asked := fence.Elapsed()
		taken, holder, err := l.try(ctx, observer)
		if err != nil {
			return nil, l.session.Explain("lock fleet "+l.fleet, err)
		}
		if taken != nil {
			lock.DeadHolder = holder
			fence.Renew(asked + fenceLimit)
			held := &heldLock{ledger: l, lease: taken, fence: fence, stop: make(chan rollout.Ending), stopped: make(chan struct{})}
			lock.Release = held.release
			go held.keep()
			return lock, nil
		}
		lock.Waited = true
		report("waits for the lock of fleet " + l.fleet + ", held by " + holder)
		select {
		case <-time.After(lockLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Unsettled reports whether somebody holds the lock, or could not write into the
// journal how its run ended.
func (l *Ledger) Unsettled(ctx context.Context) (bool, error) {
	found, err := l.session.Kube.CoordinationV1().Leases(l.namespace).Get(ctx, l.leaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, l.session.Explain("look at the lock of fleet "+l.fleet, err)
	}
	return lease.Holder(found) != "" || found.Annotations[marks.LockUnfinished] != "", nil
}

// try takes the Lease if it is free or its holder is dead. It returns nil and
// the holder if somebody living holds it.
func (l *Ledger) try(ctx context.Context, observer *lease.Observer) (taken *coordinationv1.Lease, holder string, err error) {
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	found, err := leases.Get(ctx, l.leaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		taken, err = l.create(ctx)
		if apierrors.IsAlreadyExists(err) {
			return nil, "another client", nil
		}
		return taken, "", err
	}
	if err != nil {
		return nil, "", err
	}
	holder = lease.Holder(found)
	if observer.Remaining(found) > 0 && !proc.knownDead(found.Annotations[marks.LockProcess]) {
		return nil, holder, nil
	}
	l.fill(found)
	taken, err = leases.Update(ctx, found, metav1.UpdateOptions{FieldManager: marks.FieldManager})
	if apierrors.IsConflict(err) {
		return nil, "another client", nil
	}
	return taken, holder, err
}

func (l *Ledger) create(ctx context.Context) (*coordinationv1.Lease, error) {
	fresh := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name: l.leaseName(), Labels: map[string]string{marks.ManagedBy: marks.ManagedByUs},
	}}
	l.fill(fresh)
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	taken, err := leases.Create(ctx, fresh, metav1.CreateOptions{FieldManager: marks.FieldManager})
	if !apierrors.IsNotFound(err) {
		return taken, err
	}
	if err := l.makeNamespace(ctx, l.namespace); err != nil {
		return nil, err
	}
	return leases.Create(ctx, fresh, metav1.CreateOptions{FieldManager: marks.FieldManager})
}

// fill makes a Lease ours. Its times are for people: nobody compares them with
// a clock.
func (l *Ledger) fill(found *coordinationv1.Lease) {
	now := metav1.NowMicro()
	metav1.SetMetaDataAnnotation(&found.ObjectMeta, marks.LockProcess, thisProcess())
	found.Spec.HolderIdentity = &l.holder
	found.Spec.LeaseDurationSeconds = ptr.To(int32(lockDuration.Seconds()))
	found.Spec.AcquireTime, found.Spec.RenewTime = &now, &now
}

// heldLock renews a Lease until it is released, or somebody else has it.
type heldLock struct {
	ledger *Ledger
	lease  *coordinationv1.Lease
	fence  *session.Fence
	// stop ends the renewing, with how the run ended.
	stop    chan rollout.Ending
	stopped chan struct{}
}

// release gives the lock back. What the run left under way writes no more.
func (h *heldLock) release(ending rollout.Ending) {
	h.stop <- ending
	<-h.stopped
}

// keep renews the Lease at each heartbeat, and when a request waits for it. The
// session ends where another client has the lock, and where it could not be
// renewed for so long that waiting is of no use. Time in which this process was
// stopped counts for neither.
func (h *heldLock) keep() {
	defer close(h.stopped)
	ticker := time.NewTicker(lockHeartbeat)
	defer ticker.Stop()
	var failing time.Duration
	var again <-chan time.Time
	for {
		select {
		case ending := <-h.stop:
			h.fence.Shut(errGivenBack)
			h.giveBack(ending)
			return
		case <-ticker.C:
		case <-h.fence.Overdue():
		case <-again:
		}
		asked, began := h.fence.Elapsed(), lease.Awake()
		err := h.renew()
		if err == nil {
			failing, again = 0, nil
			h.fence.Renew(asked + fenceLimit)
			continue
		}
		failing += min(lease.Awake()-began, lockHeartbeat) + lockLook
		if !errors.As(err, new(*lockLost)) {
			if failing < session.Patience {
				again = time.After(lockLook)
				continue
			}
			err = h.ledger.session.Explain(fmt.Sprintf("renew the lock of fleet %s for %s", h.ledger.fleet, session.Patience), err)
		}
		h.fence.Shut(err)
		h.ledger.session.Break(err)
		<-h.stop
		return
	}
}

// renew writes that the holder lives.
func (h *heldLock) renew() error {
	ctx, cancel := context.WithTimeout(session.PastFence(context.Background()), lockHeartbeat)
	defer cancel()
	return h.write(ctx, func(l *coordinationv1.Lease) { l.Spec.RenewTime = ptr.To(metav1.NowMicro()) })
}

// write changes the Lease. The API server refuses that if the Lease is another one
// than the one that we know; if only somebody's note on it is new, or a renewal
// whose answer did not reach us, it is still ours.
func (h *heldLock) write(ctx context.Context, edit func(*coordinationv1.Lease)) error {
	for {
		next := h.lease.DeepCopy()
		edit(next)
		updated, err := h.leases().Update(ctx, next, metav1.UpdateOptions{FieldManager: marks.FieldManager})
		switch {
		case err == nil:
			h.lease = updated
			return nil
		case apierrors.IsNotFound(err):
			return &lockLost{h.ledger.fleet, "somebody has deleted it"}
		case !apierrors.IsConflict(err):
			return err
		}
		if err := h.refresh(ctx); err != nil {
			return err
		}
	}
}

// refresh reads the Lease, and finds out whether it is still ours.
func (h *heldLock) refresh(ctx context.Context) error {
	found, err := h.leases().Get(ctx, h.lease.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return &lockLost{h.ledger.fleet, "somebody has deleted it"}
	case err != nil:
		return err
	case found.UID != h.lease.UID || lease.Holder(found) != h.ledger.holder || !found.Spec.AcquireTime.Equal(h.lease.Spec.AcquireTime):
		return &lockLost{h.ledger.fleet, holderOf(found) + " has taken it, because this client did not renew it in time"}
	}
	h.lease = found
	return nil
}

func (h *heldLock) leases() coordinationclient.LeaseInterface {
	return h.ledger.session.Kube.CoordinationV1().Leases(h.ledger.namespace)
}

func holderOf(found *coordinationv1.Lease) string {
	if holder := lease.Holder(found); holder != "" {
		return holder
	}
	return "another client"
}

// giveBack frees the Lease, or deletes it with all else that the fleet had. If
// that fails, it expires by itself.
func (h *heldLock) giveBack(ending rollout.Ending) {
	ctx, cancel := context.WithTimeout(session.PastFence(context.Background()), lockDuration)
	defer cancel()
	if ending == rollout.EndedForGood && h.remove(ctx) == nil {
		return
	}
	_ = h.write(ctx, func(l *coordinationv1.Lease) {
		l.Spec.HolderIdentity = ptr.To("")
		delete(l.Annotations, marks.LockProcess)
		delete(l.Annotations, marks.LockUnfinished)
		if ending == rollout.EndedUntold {
			metav1.SetMetaDataAnnotation(&l.ObjectMeta, marks.LockUnfinished, "true")
		}
	})
}

// remove deletes the Lease, as long as it is ours.
func (h *heldLock) remove(ctx context.Context) error {
	for {
		ours := metav1.Preconditions{UID: &h.lease.UID, ResourceVersion: &h.lease.ResourceVersion}
		err := h.leases().Delete(ctx, h.lease.Name, metav1.DeleteOptions{Preconditions: &ours})
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := h.refresh(ctx); err != nil {
			return err
		}
	}
}

// lockLost says why a client that holds the lock no longer does.
type lockLost struct{ fleet, because string }

func (e *lockLost) Error() string {
	return fmt.Sprintf("the lock of fleet %s was lost: %s; nothing was written since", e.fleet, e.because)
}

package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

const (
	leaseDuration = 30 * time.Second
	renewal       = leaseDuration / 3
)

// observer judges the Leases of all agents.
var observer = lease.NewObserver(lease.Awake)

// hold takes the Lease of an artifact, in the agents' namespace, where tenants write
// none. The context ends with it: nobody writes to an artifact that is another's.
func (w *Watcher) hold(ctx context.Context, artifact string) (held context.Context, release func(), err error) {
	name := w.leaseOf(artifact)
	current, err := w.acquire(ctx, name, leaseDuration)
	if err != nil {
		return nil, nil, err
	}
	held, lost := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.renew(held, current, lost)
	}()
	return held, func() {
		lost(nil)
		<-ended
		w.free(context.WithoutCancel(ctx), name)
	}, nil
}

// leaseOf names the Lease of an artifact.
func (w *Watcher) leaseOf(artifact string) string {
	return "checkpoint-" + w.Namespace + "-" + artifact
}

// errHeld says that a Lease is another agent's.
var errHeld = errors.New("another agent is at it")

func (w *Watcher) acquire(ctx context.Context, name string, duration time.Duration) (*coordinationv1.Lease, error) {
	leases := w.Client.CoordinationV1().Leases(w.Own)
	found, err := leases.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		found = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.Own}}
		w.claim(found, duration)
		return leases.Create(ctx, found, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, err
	}
	if holder := lease.Holder(found); holder != w.Identity && observer.Remaining(found) > 0 {
		return nil, fmt.Errorf("%w: %s has Lease %s/%s", errHeld, holder, w.Own, name)
	}
	w.claim(found, duration)
	return leases.Update(ctx, found, metav1.UpdateOptions{})
}

func (w *Watcher) claim(l *coordinationv1.Lease, duration time.Duration) {
	now := metav1.NowMicro()
	l.Spec.HolderIdentity, l.Spec.RenewTime = ptr.To(w.Identity), &now
	l.Spec.LeaseDurationSeconds = ptr.To(int32(duration.Seconds()))
}

// renew goes on until the context ends, or ends it when the Lease is lost.
func (w *Watcher) renew(ctx context.Context, current *coordinationv1.Lease, lost context.CancelCauseFunc) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for renewed := lease.Elapsed(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.claim(current, leaseDuration)
		next, err := w.Client.CoordinationV1().Leases(w.Own).Update(ctx, current, metav1.UpdateOptions{})
		switch {
		case err == nil:
			current, renewed = next, lease.Elapsed()
		case apierrors.IsConflict(err) || lease.Elapsed()-renewed > leaseDuration-renewal:
			lost(fmt.Errorf("lost Lease %s/%s: %w", w.Own, current.Name, err))
			return
		}
	}
}

// free lets others have it at once, and leaves no Lease behind; if it cannot, they have it
// when it has expired.
func (w *Watcher) free(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, renewal)
	defer cancel()
	found, err := w.Client.CoordinationV1().Leases(w.Own).Get(ctx, name, metav1.GetOptions{})
	if err != nil || lease.Holder(found) != w.Identity {
		return
	}
	if err := w.remove(ctx, found); err != nil {
		w.Log.Info("a Lease cannot be given back, and expires", "lease", name, "error", err)
	}
}

package scope

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

const (
	// untilClaimed is the pause of a controller that is ahead of the claim.
	untilClaimed = 200 * time.Millisecond
	// releaseTimeout bounds the deletion of the marker at shutdown.
	releaseTimeout = 5 * time.Second
)

// Claim holds the marker of the one namespace that a restricted operator
// serves. The leader runs it; it serves nothing before the marker is written.
type Claim struct {
	// Client reads and writes without a cache.
	Client    client.Client
	Namespace string
	Version   string
	Duration  time.Duration
	Interval  time.Duration

	held atomic.Bool
}

// Serves implements Scope.
func (c *Claim) Serves(_ context.Context, namespace string) (bool, time.Duration, error) {
	if namespace != c.Namespace {
		return false, 0, nil
	}
	if !c.held.Load() {
		return false, untilClaimed, nil
	}
	return true, 0, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *Claim) NeedLeaderElection() bool { return true }

// Start claims the namespace, renews the claim until ctx ends and then gives it
// up. It fails, and so ends the process, when the claim could not be renewed
// for so long that others may take it for expired.
func (c *Claim) Start(ctx context.Context) error {
	defer c.release(context.WithoutCancel(ctx))
	renewed := lease.Elapsed()
	for {
		attempted := lease.Elapsed()
		err := c.renew(ctx)
		switch {
		case err == nil:
			renewed = attempted
			c.held.Store(true)
		case ctx.Err() != nil:
			return nil
		case lease.Elapsed()-renewed+c.Interval >= min(c.Duration, lease.Longest):
			return fmt.Errorf("lost the claim to namespace %s, not renewed for %s: %w",
				c.Namespace, (lease.Elapsed() - renewed).Round(time.Second), err)
		default:
			log.FromContext(ctx).Error(err, "cannot renew the claim yet", "namespace", c.Namespace)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Interval):
		}
	}
}

func (c *Claim) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Interval)
	defer cancel()
	marker := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: MarkerName}}
	err := c.Client.Get(ctx, client.ObjectKeyFromObject(marker), marker)
	if apierrors.IsNotFound(err) {
		c.stamp(marker)
		return c.Client.Create(ctx, marker)
	}
	if err != nil {
		return err
	}
	c.stamp(marker)
	return c.Client.Update(ctx, marker)
}

// stamp writes the whole claim. The times in it are for people and for other
// operators of this API; ours judge by their own clock.
func (c *Claim) stamp(marker *coordinationv1.Lease) {
	now := metav1.NowMicro()
	holder := c.holder()
	if ptr.Deref(marker.Spec.HolderIdentity, "") != holder || marker.Spec.AcquireTime == nil {
		marker.Spec.AcquireTime = &now
	}
	marker.Spec.HolderIdentity = &holder
	marker.Spec.RenewTime = &now
	marker.Spec.LeaseDurationSeconds = ptr.To(int32(c.Duration / time.Second))
}

func (c *Claim) holder() string { return "namespace-restricted-operator-" + c.Version }

// release deletes the marker, unless another operator has taken it meanwhile.
func (c *Claim) release(ctx context.Context) {
	if !c.held.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	marker := &coordinationv1.Lease{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: MarkerName}, marker)
	if err == nil && ptr.Deref(marker.Spec.HolderIdentity, "") == c.holder() {
		err = c.Client.Delete(ctx, marker, client.Preconditions{ResourceVersion: &marker.ResourceVersion})
	}
	if client.IgnoreNotFound(err) != nil {
		log.FromContext(ctx).Error(err, "cannot delete the marker Lease; it expires by itself", "namespace", c.Namespace)
	}
}

package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/metrics"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

const (
	// round is how often it is asked whether what is stored is still meant by somebody.
	round = time.Minute
	// skew is how much the clock of the storage may differ from the node's.
	skew = time.Hour
)

// tidy removes what nobody means any more, until the context ends. One agent does it for
// all that share the storage.
func (w *Watcher) tidy(ctx context.Context) {
	seen := idle{}
	tick := time.NewTicker(min(round, max(w.Grace, time.Second)))
	defer tick.Stop()
	for said := ""; ; {
		if err := w.tidyOnce(ctx, seen); err == nil {
			said = ""
		} else if said != err.Error() && ctx.Err() == nil {
			said = err.Error()
			w.Log.Warn("what nobody needs any more may stay", "error", err)
		}
		select {
		case <-ctx.Done():
			w.free(context.WithoutCancel(ctx), w.tidyLease())
			return
		case <-tick.C:
		}
	}
}

// tidyLease is named as no artifact's Lease can be.
func (w *Watcher) tidyLease() string { return "checkpoints." + w.Namespace }

func (w *Watcher) tidyOnce(ctx context.Context, seen idle) error {
	if _, err := w.acquire(ctx, w.tidyLease(), 2*round); errors.Is(err, errHeld) {
		clear(seen) // who takes over asks anew
		return nil
	} else if err != nil {
		return err
	}
	// What a dump writes is younger than its deadline.
	oldest := time.Duration(w.Engine.Config.CRIU.Timeout)*time.Second + skew
	if err := w.Engine.Store.Abandoned(time.Now().Add(-oldest)); err != nil {
		w.Log.Error("what interrupted dumps have left cannot be removed", "error", err)
	}
	if err := w.expire(ctx); err != nil {
		return err
	}
	if w.Grace == 0 {
		return nil
	}
	stored, err := w.Engine.Store.List()
	if err != nil {
		return err
	}
	meant, err := w.wanted(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range seen.due(stored, meant, lease.Elapsed(), w.Grace) {
		if err := w.Discard(ctx, id); err != nil {
			errs = append(errs, err)
			continue
		}
		metrics.Removed()
		w.Log.Info("removed, since no DynamoCheckpoint and no pod means it", "artifact", id, "for", w.Grace)
	}
	return errors.Join(errs...)
}

// wanted asks the API server, not a cache: who is not seen loses what it is to start from.
func (w *Watcher) wanted(ctx context.Context) (map[string]string, error) {
	found, err := w.Checkpoints.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the DynamoCheckpoints in namespace %s: %w", w.Namespace, err)
	}
	checkpoints := make([]v1alpha1.DynamoCheckpoint, len(found.Items))
	for i := range found.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Items[i].Object, &checkpoints[i]); err != nil {
			return nil, fmt.Errorf("DynamoCheckpoint %s/%s: %w", w.Namespace, found.Items[i].GetName(), err)
		}
	}
	pods, err := w.Client.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the pods in namespace %s: %w", w.Namespace, err)
	}
	return wanted(checkpoints, pods.Items), nil
}

// expire removes Leases of artifacts that nobody holds any more, as agents leave them
// that were killed.
func (w *Watcher) expire(ctx context.Context) error {
	leases := w.Client.CoordinationV1().Leases(w.Own)
	all, err := leases.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the Leases in namespace %s: %w", w.Own, err)
	}
	for i := range all.Items {
		if l := &all.Items[i]; strings.HasPrefix(l.Name, w.leaseOf("")) && observer.Remaining(l) == 0 {
			if err := w.remove(ctx, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove deletes a Lease that is still what was seen.
func (w *Watcher) remove(ctx context.Context, l *coordinationv1.Lease) error {
	err := w.Client.CoordinationV1().Leases(w.Own).Delete(ctx, l.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &l.UID, ResourceVersion: &l.ResourceVersion},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is another's by now
	}
	return err
}

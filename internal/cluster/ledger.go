package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// The lock is a Lease with a heartbeat: a client that dies blocks nobody for
// longer than lockDuration.
const (
	lockDuration  = 30 * time.Second
	lockHeartbeat = 5 * time.Second
	lockLook      = time.Second
)

// unfinishedAnnotation on a lock that is free says that the journal does not
// tell how the last run ended.
const unfinishedAnnotation = "wheelhouse.dev/unfinished"

// journalLabel marks the Secrets that hold the revisions of a fleet.
const journalLabel = "wheelhouse.dev/journal"

// Ledger keeps a fleet's lock and journal in one namespace.
type Ledger struct {
	session   *Session
	namespace string
	fleet     string
	holder    string
}

var _ rollout.Ledger = (*Ledger)(nil)

// Ledger opens the ledger of a fleet. The holder names this client to others.
func (s *Session) Ledger(namespace, fleet, holder string) *Ledger {
	return &Ledger{session: s, namespace: namespace, fleet: fleet, holder: holder}
}

func (l *Ledger) leaseName() string { return "wheelhouse-" + l.fleet }

// Acquire takes the lock, waiting for a living holder.
func (l *Ledger) Acquire(ctx context.Context, report func(string)) (*rollout.Lock, error) {
	lock := &rollout.Lock{}
	for {
		lease, dead, err := l.try(ctx)
		if err != nil {
			return nil, l.session.explain("lock fleet "+l.fleet, err)
		}
		if lease != nil {
			lock.DeadHolder = dead
			l.keep(lock, lease)
			return lock, nil
		}
		lock.Waited = true
		report("waits for the lock of fleet " + l.fleet + ", held by " + dead)
		select {
		case <-time.After(lockLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Abandoned reports whether the last client died while it held the lock, or
// could not write into the journal how it ended.
func (l *Ledger) Abandoned(ctx context.Context) (bool, error) {
	lease, err := l.session.Kube.CoordinationV1().Leases(l.namespace).Get(ctx, l.leaseName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, l.session.explain("look at the lock of fleet "+l.fleet, err)
	}
	held := ptr.Deref(lease.Spec.HolderIdentity, "") != ""
	return free(lease) && (held || lease.Annotations[unfinishedAnnotation] != ""), nil
}

// free tells whether a lock may be taken.
func free(lease *coordinationv1.Lease) bool {
	return ptr.Deref(lease.Spec.HolderIdentity, "") == "" || expired(lease) || knownDead(lease.Annotations[processAnnotation])
}

// try takes the Lease if it is free or its holder is dead. It returns nil and
// the holder if somebody living holds it.
func (l *Ledger) try(ctx context.Context) (taken *coordinationv1.Lease, holder string, err error) {
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	lease, err := leases.Get(ctx, l.leaseName(), metav1.GetOptions{})
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
	holder = ptr.Deref(lease.Spec.HolderIdentity, "")
	if !free(lease) {
		return nil, holder, nil
	}
	l.fill(lease)
	taken, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: FieldManager})
	if apierrors.IsConflict(err) {
		return nil, "another client", nil
	}
	return taken, holder, err
}

func (l *Ledger) create(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name: l.leaseName(), Labels: map[string]string{ManagedByLabel: ManagedByUs},
	}}
	l.fill(lease)
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	taken, err := leases.Create(ctx, lease, metav1.CreateOptions{FieldManager: FieldManager})
	if !apierrors.IsNotFound(err) {
		return taken, err
	}
	if err := l.session.CreateNamespace(ctx, l.namespace); err != nil {
		return nil, err
	}
	return leases.Create(ctx, lease, metav1.CreateOptions{FieldManager: FieldManager})
}

func (l *Ledger) fill(lease *coordinationv1.Lease) {
	now := metav1.NowMicro()
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, processAnnotation, thisProcess())
	lease.Spec.HolderIdentity = &l.holder
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(lockDuration.Seconds()))
	lease.Spec.AcquireTime, lease.Spec.RenewTime = &now, &now
}

func expired(lease *coordinationv1.Lease) bool {
	if lease.Spec.RenewTime == nil {
		return true
	}
	duration := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
	return time.Since(lease.Spec.RenewTime.Time) > duration
}

// keep renews the Lease until it is released, and says when that failed for
// longer than others respect it.
func (l *Ledger) keep(lock *rollout.Lock, lease *coordinationv1.Lease) {
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	stop, stopped, lost := make(chan struct{}), make(chan struct{}), make(chan struct{})
	lock.Lost = lost
	finished := false
	lock.Release = func(done bool) {
		finished = done
		close(stop)
		<-stopped
	}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(lockHeartbeat)
		defer ticker.Stop()
		renewed := time.Now()
		for {
			select {
			case <-stop:
				last := lease.DeepCopy()
				last.Spec.HolderIdentity = ptr.To("")
				delete(last.Annotations, processAnnotation)
				delete(last.Annotations, unfinishedAnnotation)
				if !finished {
					metav1.SetMetaDataAnnotation(&last.ObjectMeta, unfinishedAnnotation, "true")
				}
				// If this fails, the Lease expires by itself.
				_, _ = leases.Update(context.Background(), last, metav1.UpdateOptions{FieldManager: FieldManager})
				return
			case <-ticker.C:
			}
			next := lease.DeepCopy()
			next.Spec.RenewTime = ptr.To(metav1.NowMicro())
			ctx, cancel := context.WithTimeout(context.Background(), lockHeartbeat)
			updated, err := leases.Update(ctx, next, metav1.UpdateOptions{FieldManager: FieldManager})
			cancel()
			if err == nil {
				lease, renewed = updated, time.Now()
			}
			if apierrors.IsConflict(err) || time.Since(renewed) > lockDuration-lockHeartbeat {
				close(lost)
				<-stop
				return
			}
		}
	}()
}

// Revisions lists the fleet's revisions, oldest first.
func (l *Ledger) Revisions(ctx context.Context) ([]rollout.Revision, error) {
	list, err := l.session.Kube.CoreV1().Secrets(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: journalLabel + "=" + l.fleet})
	if err != nil {
		return nil, l.session.explain("read the history of fleet "+l.fleet, err)
	}
	var out []rollout.Revision
	for _, secret := range list.Items {
		var r rollout.Revision
		if err := json.Unmarshal(secret.Data["revision"], &r); err != nil {
			return nil, fmt.Errorf("the record %s/%s is damaged: %w; delete the Secret to forget this revision", secret.Namespace, secret.Name, err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rollout.Revision) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// Save creates or replaces the record of a revision, and forgets the oldest.
func (l *Ledger) Save(ctx context.Context, r rollout.Revision) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record revision %d of fleet %s: %w", r.Number, l.fleet, err)
	}
	secrets := l.session.Kube.CoreV1().Secrets(l.namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: l.recordName(r.Number), Labels: map[string]string{journalLabel: l.fleet, ManagedByLabel: ManagedByUs}},
		Type:       "wheelhouse.dev/revision.v1",
		Data:       map[string][]byte{"revision": data},
	}
	_, err = secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: FieldManager})
	if apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: FieldManager})
	}
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// A destroy has removed the namespace: there is nowhere to write to.
		return nil
	}
	if err != nil {
		return l.session.explain(fmt.Sprintf("record revision %d of fleet %s", r.Number, l.fleet), err)
	}
	if old := r.Number - rollout.KeptRevisions; old > 0 {
		err := secrets.Delete(ctx, l.recordName(old), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return l.session.explain(fmt.Sprintf("forget revision %d of fleet %s", old, l.fleet), err)
		}
	}
	return nil
}

func (l *Ledger) recordName(number int) string {
	return fmt.Sprintf("wheelhouse-%s-v%d", l.fleet, number)
}

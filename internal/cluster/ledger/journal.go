package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// journalType tells our Secrets from what others have put under the label.
const journalType = corev1.SecretType("wheelhouse.dev/revision.v1")

// Revisions lists the fleet's revisions, oldest first. One that cannot be read
// is listed as damaged. Until a journal has been taken over, its revisions are
// those of the place where it was kept before. While the lock is held, they are
// read once.
func (l *Ledger) Revisions(ctx context.Context) ([]rollout.Revision, error) {
	if known, held := l.known.list(); held {
		return known, nil
	}
	return l.read(ctx)
}

func (l *Ledger) read(ctx context.Context) ([]rollout.Revision, error) {
	revisions, err := l.revisionsIn(ctx, l.namespace)
	if err != nil || !l.movable(revisions) {
		return revisions, err
	}
	before, err := l.revisionsIn(ctx, l.former)
	if apierrors.IsForbidden(err) {
		return revisions, nil
	}
	for _, r := range before {
		if !slices.ContainsFunc(revisions, func(have rollout.Revision) bool { return have.Number == r.Number }) {
			r.Imported = true
			revisions = append(revisions, r)
		}
	}
	slices.SortFunc(revisions, byNumber)
	return revisions, err
}

func byNumber(a, b rollout.Revision) int { return cmp.Compare(a.Number, b.Number) }

// movable says that the journal has nothing but what was taken over, so that
// more may be: once there is a revision of its own, what appears in the former
// place was put there by somebody else.
func (l *Ledger) movable(revisions []rollout.Revision) bool {
	return l.former != l.namespace && !slices.ContainsFunc(revisions, func(r rollout.Revision) bool { return !r.Imported })
}

func (l *Ledger) revisionsIn(ctx context.Context, namespace string) ([]rollout.Revision, error) {
	list, err := l.session.Kube.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: marks.Journal + "=" + l.fleet})
	if err != nil {
		return nil, l.session.Explain("read the history of fleet "+l.fleet, err)
	}
	var out []rollout.Revision
	for _, secret := range list.Items {
		number, numbered := l.numberOf(secret.Name)
		if !numbered {
			continue
		}
		r, err := l.decode(&secret, number)
		if err != nil {
			r = rollout.Revision{Fleet: l.fleet, Number: number, Status: rollout.RevisionDamaged, Damage: fmt.Sprintf(
				"the record %[1]s/%[2]s is not used: %[3]s; to forget it: kubectl -n %[1]s delete secret %[2]s", namespace, secret.Name, err)}
		}
		out = append(out, r)
	}
	slices.SortFunc(out, byNumber)
	return out, nil
}

// decode reads a record and makes sure that it says what its name says.
func (l *Ledger) decode(secret *corev1.Secret, number int) (r rollout.Revision, err error) {
	if secret.Type != journalType {
		return r, fmt.Errorf("its type is %s, not %s", secret.Type, journalType)
	}
	if err := json.Unmarshal(secret.Data["revision"], &r); err != nil {
		return r, fmt.Errorf("it cannot be read (%w)", err)
	}
	switch {
	case r.Fleet != l.fleet || r.Number != number:
		return r, fmt.Errorf("it says that it is revision %d of fleet %q", r.Number, r.Fleet)
	case !rollout.KnownStatus(r.Status):
		return r, fmt.Errorf("its status %q is none", r.Status)
	}
	return r, nil
}

// takeOver moves a journal from where earlier versions of this program kept it.
// Clients of such a version find its lock held for ever, by what says where the
// journal is.
func (l *Ledger) takeOver(ctx context.Context, report func(string)) error {
	revisions, err := l.revisionsIn(ctx, l.namespace)
	if err != nil {
		return err
	}
	for _, r := range revisions {
		if r.Damage != "" {
			report(r.Damage)
		}
	}
	if !l.movable(revisions) {
		l.known.hold(revisions)
		return nil
	}
	before, err := l.revisionsIn(ctx, l.former)
	if apierrors.IsForbidden(err) || err == nil && len(before) == 0 {
		l.known.hold(revisions)
		return nil
	}
	if err != nil {
		return err
	}
	old := New(l.session, l.makeNamespace, l.former, l.fleet, l.holder)
	// With the session's fence, giving this lock back would stop all that follows.
	lock, err := old.lock(ctx, report, session.NewFence())
	if err != nil {
		return err
	}
	err = l.move(ctx, old, report)
	lock.Release(rollout.EndedTold)
	if err != nil {
		return err
	}
	if err := old.moved(ctx, l.namespace); err != nil {
		return err
	}
	revisions, err = l.read(ctx)
	l.known.hold(revisions)
	return err
}

// move copies everything before it deletes anything.
func (l *Ledger) move(ctx context.Context, old *Ledger, report func(string)) error {
	before, err := old.revisionsIn(ctx, old.namespace)
	if err != nil {
		return err
	}
	before = slices.DeleteFunc(before, func(r rollout.Revision) bool {
		if r.Damage != "" {
			report(r.Damage)
		}
		return r.Damage != ""
	})
	for _, r := range before {
		r.Imported = true
		if err := l.Save(ctx, r); err != nil {
			return err
		}
	}
	for _, r := range before {
		err := old.session.Kube.CoreV1().Secrets(old.namespace).Delete(ctx, old.recordName(r.Number), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return l.session.Explain(fmt.Sprintf("forget revision %d of fleet %s in %s", r.Number, l.fleet, old.namespace), err)
		}
	}
	report(fmt.Sprintf("the history of fleet %s (%d revisions) has moved from namespace %s to %s", l.fleet, len(before), old.namespace, l.namespace))
	return nil
}

// moved leaves the lock of the former place to nobody.
func (l *Ledger) moved(ctx context.Context, to string) error {
	leases := l.session.Kube.CoordinationV1().Leases(l.namespace)
	lease, err := leases.Get(ctx, l.leaseName(), metav1.GetOptions{})
	if err == nil {
		l.fill(lease)
		delete(lease.Annotations, marks.LockProcess)
		lease.Spec.HolderIdentity = ptr.To("the journal, which has moved to namespace " + to + ": use a newer wheelhouse")
		lease.Spec.LeaseDurationSeconds = ptr.To(int32(math.MaxInt32))
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{FieldManager: marks.FieldManager})
	}
	return l.session.Explain("mark the former lock of fleet "+l.fleet, err)
}

// Save creates or replaces the record of a revision, and forgets the oldest.
func (l *Ledger) Save(ctx context.Context, r rollout.Revision) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record revision %d of fleet %s: %w", r.Number, l.fleet, err)
	}
	secrets := l.session.Kube.CoreV1().Secrets(l.namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: l.recordName(r.Number), Labels: map[string]string{marks.Journal: l.fleet, marks.ManagedBy: marks.ManagedByUs}},
		Type:       journalType,
		Data:       map[string][]byte{"revision": data},
	}
	_, err = secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: marks.FieldManager})
	if apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// What is there may be changed to the end, in a namespace that goes, too.
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: marks.FieldManager})
	}
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// A destroy has removed the namespace: there is nowhere to write to.
		return nil
	}
	if err != nil {
		return l.session.Explain(fmt.Sprintf("record revision %d of fleet %s", r.Number, l.fleet), err)
	}
	var written rollout.Revision
	if err := json.Unmarshal(data, &written); err != nil {
		return fmt.Errorf("record revision %d of fleet %s: %w", r.Number, l.fleet, err)
	}
	l.known.saved(written)
	if old := r.Number - rollout.KeptRevisions; old > 0 {
		err := secrets.Delete(ctx, l.recordName(old), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return l.session.Explain(fmt.Sprintf("forget revision %d of fleet %s", old, l.fleet), err)
		}
		l.known.deleted(old)
	}
	return nil
}

func (l *Ledger) recordName(number int) string {
	return fmt.Sprintf("wheelhouse-%s-v%d", l.fleet, number)
}

// numberOf is the number of the revision that a name stands for.
func (l *Ledger) numberOf(name string) (int, bool) {
	text, ours := strings.CutPrefix(name, "wheelhouse-"+l.fleet+"-v")
	number, err := strconv.Atoi(text)
	return number, ours && err == nil && number > 0 && l.recordName(number) == name
}

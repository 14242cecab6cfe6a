package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

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
	if apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		// What is there may be changed to the end, in a namespace that goes, too.
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

package apply

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Previewer asks what would be, by dry run.
type Previewer struct{ session *session.Session }

// New makes a Previewer.
func New(s *session.Session) Previewer { return Previewer{s} }

// Compare asks the server, by dry run, what applying the wanted objects and
// deleting the gone ones would change. The order of the answer is that of the
// arguments; objects that stay as they are are left out.
func (p Previewer) Compare(ctx context.Context, c rollout.Comparison) ([]rollout.Change, error) {
	changes := make([]*rollout.Change, len(c.Wanted)+len(c.Gone))
	group, ctx := errgroup.WithContext(ctx)
	for i, object := range c.Wanted {
		group.Go(func() (err error) {
			changes[i], err = p.compareOne(ctx, object, c)
			return err
		})
	}
	for i, object := range c.Gone {
		group.Go(func() (err error) {
			changes[len(c.Wanted)+i], err = p.deletion(ctx, object, c)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []rollout.Change
	for _, change := range changes {
		if change != nil {
			out = append(out, *change)
		}
	}
	return out, nil
}

func (p Previewer) compareOne(ctx context.Context, object chart.Object, c rollout.Comparison) (*rollout.Change, error) {
	at, err := p.session.Locate(object, c.Release)
	if err != nil {
		return nil, err
	}
	change := &rollout.Change{Kind: object.Kind, Namespace: at.ID.Namespace, Name: object.Name, Action: rollout.ChangeCreate}
	unasked := !at.Served || c.AbsentNamespaces[at.ID.Namespace]
	if unasked && !c.Text {
		// Nobody looks at the content, and parsing it is most of the work.
		return change, nil
	}
	wanted, err := asApplied(at, c)
	if err != nil {
		return nil, err
	}
	if c.Text {
		change.After = readable(wanted)
	}
	if unasked {
		return change, nil
	}
	client := p.session.Client(at)
	read := ReadWith(client, object.Name)
	if c.Absent[change.String()] {
		read = known(nil)
	}
	live, err := read(ctx)
	said := &session.Warnings{}
	trying := said.Collect(ctx)
	switch {
	case err != nil:
		return nil, p.session.Explain("read "+object.String(), err)
	case live == nil:
		change, err = p.tryCreate(trying, client, wanted, change, c)
	default:
		if c.Text {
			change.Before = readable(live)
		}
		change, err = p.tryUpdate(trying, client, live, wanted, change, c)
	}
	if err != nil || change == nil {
		return nil, err
	}
	if live == nil || change.Pods > 0 {
		said.Add(p.tryPod(ctx, wanted))
	}
	change.Warnings = said.Texts()
	return change, nil
}

// tryCreate learns what quotas, pod security and webhooks say about an object
// that does not exist yet.
func (p Previewer) tryCreate(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison) (*rollout.Change, error) {
	_, err := applier(c).Apply(ctx, client, wanted, known(nil))
	if apierrors.IsNotFound(err) && (kindHasGone(err) || strings.HasSuffix(wanted.GetKind(), "RoleBinding") || makesNamespace(c.Wanted, wanted.GetNamespace())) {
		// Its kind, its role or its namespace comes with the same release or before it.
		return change, nil
	}
	return p.refusal(change, err)
}

// kindHasGone tells the answer of a server that no longer serves a kind, whose CRD is
// being deleted since discovery named it.
func kindHasGone(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.IsUnexpectedServerError(err)
}

func makesNamespace(wanted []chart.Object, name string) bool {
	return slices.ContainsFunc(wanted, func(o chart.Object) bool { return o.Kind == "Namespace" && o.Group() == "" && o.Name == name })
}

// refusal is the change that an error forbids; other errors are errors.
func (p Previewer) refusal(change *rollout.Change, err error) (*rollout.Change, error) {
	switch {
	case err == nil:
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), unanswered(err):
		change.Action, change.Reason = rollout.ChangeRefused, refusalText(err)
	default:
		return nil, p.session.Explain("try out "+change.String(), err)
	}
	return change, nil
}

// unanswered tells the answer of a server that asked somebody's webhook and got none:
// this object is refused, and others may not be.
func unanswered(err error) bool {
	return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
}

func (p Previewer) tryUpdate(ctx context.Context, client dynamic.ResourceInterface, live, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison) (*rollout.Change, error) {
	after, err := applier(c).Apply(ctx, client, wanted, known(live))
	var conflict *ConflictError
	switch {
	case errors.As(err, &conflict):
		change.Action, change.Conflicts = rollout.ChangeConflict, conflict.Fields
		return change, nil
	case err != nil:
		return p.replacement(ctx, client, live, wanted, change, c, err)
	case reflect.DeepEqual(cleaned(live).Object, cleaned(after).Object):
		return nil, nil
	}
	change.Action, change.Digest = rollout.ChangeUpdate, identityDigest(live, after)
	change.Admission = byAdmission(live, wanted, after)
	if c.Text {
		change.After = readable(after)
	}
	change.Pods = restarts(live, after)
	return change, nil
}

// applier does by dry run what an apply would do.
func applier(c rollout.Comparison) Applier {
	return Applier{Release: c.Release, Fields: c.Fields, Migrate: c.Migrate, DryRun: true}
}

// known is a live object that has been read already.
func known(live *unstructured.Unstructured) Read {
	return func(context.Context) (*unstructured.Unstructured, error) { return live, nil }
}

func (p Previewer) deletion(ctx context.Context, object chart.Object, c rollout.Comparison) (*rollout.Change, error) {
	at, err := p.session.Locate(object, c.Release)
	if err != nil || !at.Served {
		return nil, err
	}
	live, err := ReadWith(p.session.Client(at), object.Name)(ctx)
	if err != nil {
		return nil, p.session.Explain("read "+object.String(), err)
	}
	if live == nil || live.GetAnnotations()[marks.Policy] == marks.PolicyKeep || marks.BelongsElsewhere(live, c.Release) {
		return nil, nil
	}
	change := &rollout.Change{Kind: object.Kind, Namespace: at.ID.Namespace, Name: object.Name, Action: rollout.ChangeDelete, Digest: identityDigest(live, nil)}
	change.Reason = c.Reach.Beyond(object.Group(), object.Kind, at.ID.Namespace)
	if !marks.HasRelease(live, c.Release) {
		change.Reason = "it does not carry the marks of release " + c.Release.String()
	}
	if change.Reason != "" && !c.Unreleased {
		change.Action = rollout.ChangeLeft
		return change, nil
	}
	if c.Text {
		change.Before = readable(live)
	}
	return change, nil
}

// asApplied is an object as it will be written.
func asApplied(at session.Located, c rollout.Comparison) (*unstructured.Unstructured, error) {
	u, err := Parse(at.Object)
	if err != nil || c.Unreleased {
		return u, err
	}
	u.SetNamespace(at.ID.Namespace)
	marks.GiveRelease(u, c.Release)
	return u, nil
}

// Parse reads a rendered object.
func Parse(object chart.Object) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	if err := object.Read(&u.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", object, err)
	}
	return u, nil
}

// cleaned is an object without the server's bookkeeping and without status.
func cleaned(u *unstructured.Unstructured) *unstructured.Unstructured {
	o := u.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	delete(o.Object, "status")
	return o
}

// readable is an object as a person compares it: cleaned, and with Secrets and
// whatever looks like a credential masked.
func readable(u *unstructured.Unstructured) string {
	o := cleaned(u)
	if o.GetKind() == "Secret" {
		mask(o.Object, "data")
		mask(o.Object, "stringData")
	}
	text, err := yaml.Marshal(fleet.Mask(nil, o.Object, func(_ []string, _ string, value any) any { return digest(value) }))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// mask replaces secret values by a digest, so that a change still shows.
func mask(object map[string]any, field string) {
	data, ok := object[field].(map[string]any)
	if !ok {
		return
	}
	for key, value := range data {
		data[key] = digest(value)
	}
}

// maskKey makes digests of secrets worthless outside of this process: what is
// printed or saved must not let anybody test guesses.
var maskKey = rand.Text()

func digest(value any) string {
	sum := sha256.Sum256(fmt.Append([]byte(maskKey), value))
	return "(hidden, digest " + hex.EncodeToString(sum[:4]) + ")"
}

// identityDigest is a digest of an object as it is and as it would be, without the
// server's bookkeeping. The UID in it is known to nobody who has not read the
// object itself, and makes one that was recreated another one.
func identityDigest(live, after *unstructured.Unstructured) string {
	hash := sha256.New()
	hash.Write([]byte(live.GetUID()))
	for _, u := range []*unstructured.Unstructured{live, after} {
		if u == nil {
			continue
		}
		text, err := json.Marshal(cleaned(u).Object)
		if err != nil {
			return err.Error()
		}
		hash.Write(text)
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}

// restarts counts the pods that a change of a workload replaces.
func restarts(before, after *unstructured.Unstructured) int {
	old, _, _ := unstructured.NestedMap(before.Object, "spec", "template")
	next, found, _ := unstructured.NestedMap(after.Object, "spec", "template")
	if !found || before.GetKind() == "Job" || !replacesPods(after) || reflect.DeepEqual(old, next) {
		return 0
	}
	return podsOf(before)
}

// podsOf counts the pods that a workload should have.
func podsOf(workload *unstructured.Unstructured) int {
	if replicas, ok, _ := unstructured.NestedInt64(workload.Object, "spec", "replicas"); ok {
		return int(replicas)
	}
	scheduled, _, _ := unstructured.NestedInt64(workload.Object, "status", "desiredNumberScheduled")
	return int(scheduled)
}

// replacesPods reports whether a workload's controller replaces pods by itself
// when the template changes.
func replacesPods(workload *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(workload.Object, "spec", "updateStrategy", "type")
	paused, _, _ := unstructured.NestedBool(workload.Object, "spec", "paused")
	return strategy != "OnDelete" && !paused
}

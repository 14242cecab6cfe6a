package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// parallelReads bounds the requests of one comparison.
const parallelReads = 16

// Compare asks the server, by dry run, what applying the wanted objects and
// deleting the gone ones would change. The order of the answer is that of the
// arguments; objects that stay as they are are left out.
func (s *Session) Compare(ctx context.Context, c rollout.Comparison) ([]rollout.Change, error) {
	changes := make([]*rollout.Change, len(c.Wanted)+len(c.Gone))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReads)
	for i, object := range c.Wanted {
		group.Go(func() (err error) {
			changes[i], err = s.compareOne(ctx, object, c)
			return err
		})
	}
	for i, object := range c.Gone {
		group.Go(func() (err error) {
			changes[len(c.Wanted)+i], err = s.deletion(ctx, object, c)
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

// at finds where an object lives. The client is nil for a kind that the
// cluster does not serve yet.
func (s *Session) at(object chart.Object, key fleet.Key) (dynamic.ResourceInterface, identified, error) {
	m, err := s.mapping(object.APIVersion, object.Kind)
	if meta.IsNoMatchError(err) {
		// Most likely in the release's namespace, as most kinds are.
		return nil, identified{Object: object, identity: identity{namespace: cmp.Or(object.Namespace, key.Namespace)}}, nil
	}
	if err != nil {
		return nil, identified{}, s.explain("look up "+object.Kind, err)
	}
	id := identityOf(object, key, m)
	if id.namespace == "" {
		return s.Dynamic.Resource(m.Resource), id, nil
	}
	return s.Dynamic.Resource(m.Resource).Namespace(id.namespace), id, nil
}

func (s *Session) compareOne(ctx context.Context, object chart.Object, c rollout.Comparison) (*rollout.Change, error) {
	client, id, err := s.at(object, c.Release)
	if err != nil {
		return nil, err
	}
	change := &rollout.Change{Kind: object.Kind, Namespace: id.namespace, Name: object.Name, Action: rollout.ChangeCreate}
	unasked := client == nil || c.AbsentNamespaces[id.namespace]
	if unasked && !c.Text {
		// Nobody looks at the content, and parsing it is most of the work.
		return change, nil
	}
	wanted, err := asApplied(object, id, c)
	if err != nil {
		return nil, err
	}
	if c.Text {
		change.After = readable(wanted)
	}
	if unasked {
		return change, nil
	}
	live, err := client.Get(ctx, object.Name, metav1.GetOptions{})
	said := &warnings{}
	trying := context.WithValue(ctx, warningsKey{}, said)
	switch {
	case apierrors.IsNotFound(err):
		change, err = s.tryCreate(trying, client, wanted, change, c)
	case err != nil:
		return nil, s.explain("read "+object.String(), err)
	default:
		if c.Text {
			change.Before = readable(live)
		}
		change, err = s.tryUpdate(trying, client, live, wanted, change, c)
	}
	if err != nil || change == nil {
		return nil, err
	}
	if live == nil || change.Pods > 0 {
		said.add(s.tryPod(ctx, wanted))
	}
	change.Warnings = said.texts
	return change, nil
}

// tryCreate learns what quotas, pod security and webhooks say about an object
// that does not exist yet.
func (s *Session) tryCreate(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison) (*rollout.Change, error) {
	_, err := dryRun(ctx, client, wanted, false)
	if apierrors.IsNotFound(err) && (strings.HasSuffix(wanted.GetKind(), "RoleBinding") || makesNamespace(c.Wanted, wanted.GetNamespace())) {
		// Its role, or its namespace, comes with the same release.
		return change, nil
	}
	return s.refusal(change, err)
}

func makesNamespace(wanted []chart.Object, name string) bool {
	return slices.ContainsFunc(wanted, func(o chart.Object) bool { return o.Kind == "Namespace" && o.Group() == "" && o.Name == name })
}

// refusal is the change that an error forbids; other errors are errors.
func (s *Session) refusal(change *rollout.Change, err error) (*rollout.Change, error) {
	switch {
	case err == nil:
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		change.Action, change.Reason = rollout.ChangeRefused, refusalText(err)
	default:
		return nil, s.explain("try out "+change.String(), err)
	}
	return change, nil
}

func (s *Session) tryUpdate(ctx context.Context, client dynamic.ResourceInterface, live, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison) (*rollout.Change, error) {
	after, fields, err := tryApply(ctx, client, live, wanted, c)
	switch {
	case len(fields) > 0:
		change.Action, change.Conflicts = rollout.ChangeConflict, fields
		return change, nil
	case err != nil:
		return s.refusal(change, err)
	case reflect.DeepEqual(cleaned(live).Object, cleaned(after).Object):
		return nil, nil
	}
	change.Action, change.Digest = rollout.ChangeUpdate, identityDigest(live, after)
	if c.Text {
		change.After = readable(after)
	}
	change.Pods = restarts(live, after)
	return change, nil
}

// tryApply asks the server for the object as it would be after an apply, and,
// where the release changes hands, after the move of its fields to us. The
// conflicts are those that nothing resolves.
func tryApply(ctx context.Context, client dynamic.ResourceInterface, live, wanted *unstructured.Unstructured, c rollout.Comparison) (*unstructured.Unstructured, []rollout.FieldConflict, error) {
	kind, namespace, name := wanted.GetKind(), wanted.GetNamespace(), wanted.GetName()
	LeaveFields(wanted, live, c.Fields.Left(kind, namespace, name))
	earlier := map[string]bool{}
	if c.Migrate {
		earlier = earlierWriters(live)
	}
	after, err := dryRun(ctx, client, wanted, false)
	if conflicts := Conflicts(err, wanted, live); len(conflicts) > 0 {
		others := slices.DeleteFunc(slices.Clone(conflicts), func(f rollout.FieldConflict) bool { return earlier[f.Manager] && f.Subresource == "" })
		if !c.Fields.Takes(kind, namespace, name, others) {
			return nil, others, nil
		}
		after, err = dryRun(ctx, client, wanted, true)
	}
	if err != nil || !c.Migrate || !withoutAbandoned(live, after, earlier) {
		return after, nil, err
	}
	// The server fills in defaults for what has gone.
	after, err = client.Update(ctx, after, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: FieldManager})
	return after, nil, err
}

// dryRun applies as the release store does, but for the result.
func dryRun(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	return patch(ctx, client, wanted, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, Force: &force})
}

// patch applies an object server-side; unknown fields are errors.
func patch(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, options metav1.PatchOptions) (*unstructured.Unstructured, error) {
	data, err := wanted.MarshalJSON()
	if err != nil {
		return nil, err
	}
	options.FieldManager, options.FieldValidation = FieldManager, metav1.FieldValidationStrict
	return client.Patch(ctx, wanted.GetName(), types.ApplyPatchType, data, options)
}

func (s *Session) deletion(ctx context.Context, object chart.Object, c rollout.Comparison) (*rollout.Change, error) {
	client, id, err := s.at(object, c.Release)
	if err != nil || client == nil {
		return nil, err
	}
	live, err := client.Get(ctx, object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read "+object.String(), err)
	}
	if live.GetAnnotations()["helm.sh/resource-policy"] == "keep" || BelongsElsewhere(live, c.Release) {
		return nil, nil
	}
	change := &rollout.Change{Kind: object.Kind, Namespace: id.namespace, Name: object.Name, Action: rollout.ChangeDelete, Digest: identityDigest(live, nil)}
	change.Reason = c.Reach.Beyond(object.Group(), object.Kind, id.namespace)
	if !Marked(live, c.Release) {
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
func asApplied(object chart.Object, id identified, c rollout.Comparison) (*unstructured.Unstructured, error) {
	if c.Unreleased {
		return parsed(object)
	}
	return asHelmApplies(object, id, c.Release)
}

func parsed(object chart.Object) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(object.Content), &u.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", object, err)
	}
	return u, nil
}

// asHelmApplies adds to a rendered object what Helm adds before it applies it.
func asHelmApplies(object chart.Object, id identified, key fleet.Key) (*unstructured.Unstructured, error) {
	u, err := parsed(object)
	if err != nil {
		return nil, err
	}
	u.SetNamespace(id.namespace)
	labels, annotations := u.GetLabels(), u.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[ManagedByLabel] = "Helm"
	annotations["meta.helm.sh/release-name"], annotations["meta.helm.sh/release-namespace"] = key.Name, key.Namespace
	u.SetLabels(labels)
	u.SetAnnotations(annotations)
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
	if replicas, ok, _ := unstructured.NestedInt64(before.Object, "spec", "replicas"); ok {
		return int(replicas)
	}
	scheduled, _, _ := unstructured.NestedInt64(before.Object, "status", "desiredNumberScheduled")
	return int(scheduled)
}

// replacesPods reports whether a workload's controller replaces pods by itself
// when the template changes.
func replacesPods(workload *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(workload.Object, "spec", "updateStrategy", "type")
	paused, _, _ := unstructured.NestedBool(workload.Object, "spec", "paused")
	return strategy != "OnDelete" && !paused
}

package crds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// settled is how long the servers of a control plane are given to learn in which
// version objects are stored: what they give each other before they call a kind
// established. One that lags would write into the version that ends.
const settled = 5 * time.Second

// written is how many objects are written at the same time.
const written = 8

// shownRefusals is how many objects that nobody could write an error names.
const shownRefusals = 10

// MoveStorage implements rollout.Executor. An object that is stored in the right
// version already is not changed by being written as it is, so a run that died
// costs the next one nothing but requests.
func (d Definitions) MoveStorage(ctx context.Context, move rollout.Relocation, report func(string)) (string, error) {
	if move.Begins {
		if err := d.begin(ctx, move); err != nil {
			return "", d.session.Explain("let CRD "+move.CRD+" store objects in "+move.To, err)
		}
	}
	live, err := d.Definition(ctx, move.CRD)
	if err != nil {
		return "", err
	}
	if live == nil || !move.Stores(live) {
		return "", changedMeanwhile(move)
	}
	select {
	case <-time.After(settled):
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	resource := schema.GroupVersionResource{Group: live.Spec.Group, Version: move.Through(live), Resource: live.Spec.Names.Plural}
	note, err := d.rewrite(ctx, move, resource, report)
	if err != nil {
		return "", err
	}
	if err := d.narrow(ctx, move, live.Generation); err != nil {
		return "", err
	}
	return note + ", all are stored in " + move.To, nil
}

// rewrite has every object of a kind written once more: many by Kubernetes' own
// migration, where there is one, because that goes on without us. Few are written before
// that would begin; and what it cannot write, only we can name.
func (d Definitions) rewrite(ctx context.Context, move rollout.Relocation, resource schema.GroupVersionResource, report func(string)) (note string, err error) {
	if move.Objects > objectsPerPage {
		err := d.migrate(ctx, move, resource.GroupResource(), report)
		if err == nil {
			return count(move.Objects) + " migrated by Kubernetes", nil
		}
		if !errors.Is(err, errNotMigrated) {
			return "", err
		}
		report(err.Error() + "; writing page by page")
	}
	w := &writing{Definitions: d, resource: resource, of: move.Objects, report: report, refused: map[string]error{}}
	if err := w.all(ctx); err != nil {
		return "", d.session.Explain("write the objects of "+move.CRD+" once more", err)
	}
	return count(w.done) + " written once more", w.refusals(move)
}

// begin makes the API server store objects in another version, before it forgets
// the one in which it did.
func (d Definitions) begin(ctx context.Context, move rollout.Relocation) error {
	client := d.session.Dynamic.Resource(session.CRDs)
	live, err := client.Get(ctx, move.CRD, metav1.GetOptions{})
	if err != nil {
		return err
	}
	versions, _, err := unstructured.NestedSlice(live.Object, "spec", "versions")
	if err != nil {
		return err
	}
	next := &unstructured.Unstructured{Object: map[string]any{"spec": live.Object["spec"]}}
	next.SetGroupVersionKind(live.GroupVersionKind())
	next.SetName(live.GetName())
	next.SetResourceVersion(live.GetResourceVersion())
	next.SetLabels(live.GetLabels())
	next.SetAnnotations(live.GetAnnotations())
	if err := unstructured.SetNestedSlice(next.Object, move.Versions(versions), "spec", "versions"); err != nil {
		return err
	}
	_, err = apply.Applier{Fields: move.Fields}.Apply(ctx, client, next, apply.ReadWith(client, move.CRD))
	return err
}

// narrow tells the API server that no object is stored in what ends any more. If the
// definition became another one since, that may not be so.
func (d Definitions) narrow(ctx context.Context, move rollout.Relocation, generation int64) error {
	client := d.session.Dynamic.Resource(session.CRDs)
	for {
		live, err := client.Get(ctx, move.CRD, metav1.GetOptions{})
		if err != nil {
			return d.session.Explain("read CRD "+move.CRD, err)
		}
		if live.GetGeneration() != generation {
			return changedMeanwhile(move)
		}
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": live.GetResourceVersion()},
			"status":   map[string]any{"storedVersions": []string{move.To}},
		})
		if err != nil {
			return err
		}
		_, err = client.Patch(ctx, move.CRD, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: marks.FieldManager}, "status")
		if !apierrors.IsConflict(err) {
			return d.session.Explain("take "+strings.Join(move.From, ", ")+" out of status.storedVersions of CRD "+move.CRD, err)
		}
	}
}

func changedMeanwhile(move rollout.Relocation) error {
	return fmt.Errorf("CRD %s was changed by somebody else meanwhile, so that objects may be stored in %s again; run the same command once more", move.CRD, strings.Join(move.From, ", "))
}

// writing is one walk over all objects of a kind.
type writing struct {
	Definitions
	resource schema.GroupVersionResource
	// of is how many objects there were when they were counted.
	of     int
	report func(string)

	mutex sync.Mutex
	done  int
	// refused is what the API server, or somebody's webhook, has against objects.
	refused map[string]error
}

// all writes every object as it is. A list that expired for good is begun again.
func (w *writing) all(ctx context.Context) error {
	for {
		err := session.EachPage(ctx, metav1.ListOptions{Limit: objectsPerPage}, w.session.Metadata.Resource(w.resource).List, func(page *metav1.PartialObjectMetadataList) error {
			return w.page(ctx, page)
		})
		if !apierrors.IsResourceExpired(err) {
			return err
		}
		w.done = 0
	}
}

func (w *writing) page(ctx context.Context, page *metav1.PartialObjectMetadataList) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(written)
	for i := range page.Items {
		group.Go(func() error { return w.write(ctx, &page.Items[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	w.report(fmt.Sprintf("%d of %s written", w.done, count(max(w.of, w.done))))
	return nil
}

// write changes nothing of an object but where it is stored. Who wrote it meanwhile
// has stored it, too, and what is gone is not stored.
func (w *writing) write(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"resourceVersion":%q}}`, object.UID, object.ResourceVersion)
	_, err := w.session.Metadata.Resource(w.resource).Namespace(object.Namespace).Patch(ctx, object.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: marks.FieldManager})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	name := session.JoinName(object.Namespace, object.Name)
	delete(w.refused, name)
	switch {
	case err == nil, apierrors.IsConflict(err), apierrors.IsNotFound(err):
		w.done++
		return nil
	case refusal(err):
		w.refused[name] = err
		return nil
	default:
		return err
	}
}

// refusal tells an answer that is about one object from trouble with all of them.
func refusal(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsInternalError(err) || denied(err))
}

// denied tells the answer of somebody's webhook or policy, which may have any code,
// from that of the API server about who may not.
func denied(err error) bool {
	return strings.Contains(err.Error(), "denied the request") || strings.Contains(err.Error(), "denied request")
}

// refusals names the objects that could not be written; nil if there are none.
func (w *writing) refusals(move rollout.Relocation) error {
	if len(w.refused) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("%s of %s cannot be written without a change, so %s still counts as stored:", count(len(w.refused)), move.CRD, strings.Join(move.From, ", "))}
	for i, name := range slices.Sorted(maps.Keys(w.refused)) {
		if i == shownRefusals {
			lines = append(lines, fmt.Sprintf("  and %d more", len(w.refused)-shownRefusals))
			break
		}
		lines = append(lines, "  "+name+": "+session.Forbidden(w.refused[name]))
	}
	return errors.New(strings.Join(append(lines, "change these objects, or ask who looks after what refuses them; then run the same command once more"), "\n"))
}

func count(objects int) string {
	if objects == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", objects)
}

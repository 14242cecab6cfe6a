// Package apply writes objects as the server merges them: who owns which field
// is the API server's bookkeeping. One algorithm serves releases, CRDs that
// belong to no release, and previews, which ask for the same by dry run.
package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Applier applies objects.
type Applier struct {
	// Release has the objects; the zero key for none.
	Release fleet.Key
	// Fields says what becomes of fields that others own.
	Fields rollout.Fields
	// Migrate moves the fields that other clients of the release recorded as
	// theirs to our manager, so that those which nobody wants any more go.
	Migrate bool
	// DryRun writes nothing. The answer is what would be.
	DryRun bool
}

// Read returns the live object; nil if there is none.
type Read func(context.Context) (*unstructured.Unstructured, error)

// Apply writes an object, but for the fields that are left to others, and
// returns it as it is then. The live object is read only where it decides
// something. Fields of others that nothing resolves are a *ConflictError.
func (a Applier) Apply(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, read Read) (*unstructured.Unstructured, error) {
	left := a.Fields.Left(wanted.GetKind(), wanted.GetNamespace(), wanted.GetName())
	var live *unstructured.Unstructured
	var err error
	switch {
	case a.Migrate && !a.DryRun:
		live, err = a.takeFields(ctx, client, read)
	case a.Migrate, a.DryRun, len(left) > 0:
		live, err = read(ctx)
	}
	if err != nil {
		return nil, err
	}
	earlier := map[string]bool{}
	if live != nil {
		leaveFields(wanted, live, left)
		if a.Migrate && a.DryRun {
			earlier = earlierWriters(live)
		}
	}
	after, err := a.patch(ctx, client, wanted, false)
	if apierrors.IsInvalid(err) && wanted.GetKind() == "CustomResourceDefinition" {
		if live, readErr := read(ctx); readErr == nil && live != nil && keepConversion(wanted, live) {
			after, err = a.patch(ctx, client, wanted, false)
		}
	}
	if conflicts := conflictsOf(err, wanted, live); len(conflicts) > 0 {
		// Those of earlier writers would be ours by now.
		others := slices.DeleteFunc(conflicts, func(f rollout.FieldConflict) bool { return earlier[f.Manager] && f.Subresource == "" })
		if !a.Fields.Takes(wanted.GetKind(), wanted.GetNamespace(), wanted.GetName(), others) {
			return nil, &ConflictError{Object: describe(wanted), Fields: others}
		}
		after, err = a.patch(ctx, client, wanted, true)
	}
	if err != nil || len(earlier) == 0 || !withoutAbandoned(live, after, earlier) {
		return after, err
	}
	// The server fills in defaults for what has gone.
	return client.Update(ctx, after, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: marks.FieldManager})
}

// patch applies an object server-side; unknown fields are errors.
func (a Applier) patch(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	data, err := wanted.MarshalJSON()
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: marks.FieldManager, FieldValidation: metav1.FieldValidationStrict, Force: &force}
	if a.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return client.Patch(ctx, wanted.GetName(), types.ApplyPatchType, data, options)
}

// takeFields makes what other clients of the release wrote ours, if the object
// exists. It is tried again when somebody else writes at the same time.
func (a Applier) takeFields(ctx context.Context, client dynamic.ResourceInterface, read Read) (live *unstructured.Unstructured, err error) {
	return live, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if live, err = read(ctx); err != nil || live == nil {
			return err
		}
		if marks.BelongsElsewhere(live, a.Release) {
			return fmt.Errorf("%s belongs to another release since it was looked at; plan again", describe(live))
		}
		patch, err := migrationPatch(live)
		if err != nil || patch == nil {
			return err
		}
		taken, err := client.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("take over the fields of %s: %w", describe(live), err)
		}
		live = taken
		return nil
	})
}

// ConflictError says which fields of an object others own.
type ConflictError struct {
	Object string
	Fields []rollout.FieldConflict
}

func (e *ConflictError) Error() string {
	fields := make([]string, 0, len(e.Fields))
	for _, f := range e.Fields {
		fields = append(fields, f.String())
	}
	return fmt.Sprintf("%s: %s; run `wheelhouse plan` to see how to leave or take them", e.Object, strings.Join(fields, ", "))
}

func describe(u *unstructured.Unstructured) string {
	if u.GetNamespace() == "" {
		return u.GetKind() + " " + u.GetName()
	}
	return u.GetKind() + " " + u.GetNamespace() + "/" + u.GetName()
}

// ReadWith reads by a client.
func ReadWith(client dynamic.ResourceInterface, name string) Read {
	return func(ctx context.Context) (*unstructured.Unstructured, error) {
		live, err := client.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return live, err
	}
}

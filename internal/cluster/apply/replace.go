package apply

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/inplace"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// replacement is about a change that the server refused. If it would accept the very
// object as a new one, it is the change that cannot be made, and not the object: then
// another one may take its place.
func (p Previewer) replacement(ctx context.Context, client dynamic.ResourceInterface, live, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison, refusal error) (*rollout.Change, error) {
	if !apierrors.IsInvalid(refusal) || live.GetKind() == "CustomResourceDefinition" {
		if change.Stored = storedRefusal(refusal); change.Stored {
			change.Digest = identityDigest(live, wanted)
		}
		return p.refusal(change, refusal)
	}
	switch err := tryNew(ctx, client, wanted); {
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), unanswered(err):
		return p.refusal(change, refusal)
	case err != nil:
		return nil, p.session.Explain("try out "+change.String()+" as a new one", err)
	}
	r := &rollout.Replacement{Change: inplace.Of(live.Object, wanted.Object, invalidFields(refusal)...), UID: string(live.GetUID()), Begun: live.GetDeletionTimestamp() != nil}
	change.Action, change.Replacement, change.Digest = rollout.ChangeReplace, r, identityDigest(live, wanted)
	hide(live, r)
	switch {
	case r.Never != "":
	case live.GetAnnotations()[marks.Policy] == marks.PolicyKeep:
		r.Never = "it carries a keep policy"
	case !c.Replace:
		r.Never = "only `wheelhouse apply` replaces it, by the file that wants it so"
	}
	if r.Never != "" {
		change.Action, change.Reason = rollout.ChangeRefused, "cannot change in place, and is not replaced: "+r.Never
		return change, nil
	}
	change.Reason = r.Interrupts
	if err := p.growth(ctx, live, change); err != nil || change.Action == rollout.ChangeRefused {
		return change, err
	}
	if !r.PodsStay {
		change.Pods = podsOf(live)
		return change, nil
	}
	return p.rest(ctx, client, live, wanted, change, c)
}

// rest is what changes besides: pods that go on may be replaced by another template.
func (p Previewer) rest(ctx context.Context, client dynamic.ResourceInterface, live, wanted *unstructured.Unstructured, change *rollout.Change, c rollout.Comparison) (*rollout.Change, error) {
	kept := &unstructured.Unstructured{Object: inplace.Kept(live.Object, wanted.Object)}
	after, err := applier(c).Apply(ctx, client, kept, known(live))
	if err != nil {
		return p.refusal(change, err)
	}
	if change.Pods = restarts(live, after); change.Pods > 0 {
		change.Reason = "its pods run on until their template, which changes too, replaces one after the other"
	}
	return change, nil
}

// storedRefusal reports whether a definition is refused for nothing but the versions
// in which objects may be stored.
func storedRefusal(refusal error) bool {
	fields := invalidFields(refusal)
	return len(fields) > 0 && !slices.ContainsFunc(fields, func(field string) bool { return !strings.HasPrefix(field, "status.storedVersions") })
}

// tryNew asks whether an object would be accepted if there were none of its name. An
// answer that there is one comes after everything else has been checked.
func tryNew(ctx context.Context, client dynamic.ResourceInterface, wanted *unstructured.Unstructured) error {
	fresh := wanted.DeepCopy()
	if fresh.GetKind() == "Service" {
		unallocated(fresh)
	}
	_, err := client.Create(ctx, fresh, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: marks.FieldManager, FieldValidation: metav1.FieldValidationStrict})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// unallocated takes addresses and ports from a Service, which has them still.
func unallocated(service *unstructured.Unstructured) {
	unstructured.RemoveNestedField(service.Object, "spec", "clusterIP")
	unstructured.RemoveNestedField(service.Object, "spec", "clusterIPs")
	unstructured.RemoveNestedField(service.Object, "spec", "healthCheckNodePort")
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, port := range ports {
		if port, ok := port.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
	if len(ports) > 0 {
		_ = unstructured.SetNestedSlice(service.Object, ports, "spec", "ports")
	}
}

// invalidFields are the fields that a refusal names.
func invalidFields(err error) (out []string) {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			out = append(out, cause.Field)
		}
	}
	return out
}

// hide keeps secrets out of what is shown.
func hide(live *unstructured.Unstructured, r *rollout.Replacement) {
	for i := range r.Fields {
		f := &r.Fields[i]
		secret := live.GetKind() == "Secret" && (strings.HasPrefix(f.Path, "data") || strings.HasPrefix(f.Path, "stringData"))
		for _, value := range []*any{&f.Old, &f.New} {
			if *value == nil {
				continue
			}
			at := fleet.SplitPath(f.Path)
			parent, key := at[:len(at)-1], at[len(at)-1]
			shown, _ := fleet.Mask(parent, map[string]any{key: *value}, func([]string, string, any) any { return fleet.Hidden }).(map[string]any)
			if *value = shown[key]; secret {
				*value = fleet.Hidden
			}
		}
	}
}

// growth finds the claims that get bigger, and asks whether they may.
func (p Previewer) growth(ctx context.Context, live *unstructured.Unstructured, change *rollout.Change) error {
	r, namespace := change.Replacement, live.GetNamespace()
	if len(r.Grows) == 0 {
		return nil
	}
	list, err := p.session.Kube.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return p.session.Explain("list volume claims in "+namespace, err)
	}
	var refused []string
	for i := range list.Items {
		claim, smaller := growing(&list.Items[i], live.GetName(), r.Grows)
		if !smaller {
			continue
		}
		r.Claims = append(r.Claims, claim)
		why, err := p.tryGrow(ctx, namespace, claim)
		if err != nil {
			return err
		}
		if why != "" {
			refused = append(refused, fmt.Sprintf("claim %s: %s", claim.Name, why))
		}
	}
	if len(refused) > 0 {
		change.Action, change.Reason = rollout.ChangeRefused, "its volumes cannot grow: "+strings.Join(refused, "; ")
		r.Claims = nil
	}
	return nil
}

// growing tells how a claim grows that a StatefulSet has made; false if it is none of
// its, or big enough.
func growing(claim *corev1.PersistentVolumeClaim, set string, grows []inplace.Growth) (rollout.Claim, bool) {
	for _, grow := range grows {
		ordinal, of := strings.CutPrefix(claim.Name, grow.Template+"-"+set+"-")
		size, err := resource.ParseQuantity(grow.New)
		if !of || !number.MatchString(ordinal) || err != nil {
			continue
		}
		now := claim.Spec.Resources.Requests[corev1.ResourceStorage]
		out := rollout.Claim{Name: claim.Name, Old: now.String(), New: grow.New}
		if claim.Spec.StorageClassName != nil {
			out.Class = *claim.Spec.StorageClassName
		}
		return out, now.Cmp(size) < 0
	}
	return rollout.Claim{}, false
}

var number = regexp.MustCompile(`^[0-9]+$`)

// tryGrow says why a claim may not get bigger; empty if it may.
func (p Previewer) tryGrow(ctx context.Context, namespace string, claim rollout.Claim) (why string, err error) {
	_, err = p.session.Kube.CoreV1().PersistentVolumeClaims(namespace).Patch(ctx, claim.Name, types.MergePatchType, claim.Patch(),
		metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: marks.FieldManager})
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return "", nil
	case !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		return "", p.session.Explain("try to grow claim "+claim.Name, err)
	}
	class, reading := p.session.Kube.StorageV1().StorageClasses().Get(ctx, claim.Class, metav1.GetOptions{})
	if reading == nil && (class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion) {
		return fmt.Sprintf("storage class %s does not allow expansion (allowVolumeExpansion)", claim.Class), nil
	}
	return refusalText(err), nil
}

package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// ensureClaims creates the claims that the graph wants created, unless others
// that it expects to exist do not. An existing claim is used as it is; where that
// is not as the graph wants it, the status says so.
func (l *life) ensureClaims(ctx context.Context) error {
	var create []v1alpha1.PVC
	var missing, different []string
	for i, pvc := range l.dgd.Spec.PVCs {
		claim, err := l.claim(ctx, pvc.Name)
		switch {
		case err != nil:
			return err
		case claim != nil && pvc.Create:
			different = append(different, differences(i, pvc, claim)...)
		case claim != nil:
		case pvc.Create:
			create = append(create, pvc)
		default:
			missing = append(missing, pvc.Name)
		}
	}
	l.claims(different)
	if len(missing) > 0 {
		return lifecycle.Refuse(reasonClaimMissing, missingClaims(missing))
	}
	for _, pvc := range create {
		if err := l.Apply.CreateIfMissing(ctx, l.dgd, render.Claim(l.dgd, pvc)); err != nil {
			return err
		}
	}
	return nil
}

// claim is nil if there is none.
func (l *life) claim(ctx context.Context, name string) (*corev1.PersistentVolumeClaim, error) {
	claim := &corev1.PersistentVolumeClaim{}
	err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.dgd.Namespace, Name: name}, claim)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read PersistentVolumeClaim %s/%s: %w", l.dgd.Namespace, name, err)
	}
	return claim, nil
}

// differences say how a claim that exists differs from the i-th one of the spec,
// and what can be done about it. It holds data, so the operator changes none.
func differences(i int, wanted v1alpha1.PVC, claim *corev1.PersistentVolumeClaim) []string {
	var found []string
	say := func(has, field, want, fix string) {
		found = append(found, fmt.Sprintf("PersistentVolumeClaim %s has %s, and spec.pvcs[%d].%s says %s: %s", claim.Name, has, i, field, want, fix))
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	switch order := wanted.Size.Cmp(size); {
	case order > 0:
		say(size.String(), "size", wanted.Size.String(), fmt.Sprintf("if its class lets it grow, "+
			`kubectl -n %s patch pvc %s -p '{"spec":{"resources":{"requests":{"storage":"%s"}}}}'`, claim.Namespace, claim.Name, wanted.Size.String()))
	case order < 0:
		say(size.String(), "size", wanted.Size.String(), "a claim does not shrink: correct the spec")
	}
	if class := claim.Spec.StorageClassName; wanted.StorageClass != "" && class != nil && *class != wanted.StorageClass {
		say("class "+*class, "storageClass", wanted.StorageClass, "a claim keeps its class: correct the spec, or name another claim")
	}
	if modes := claim.Spec.AccessModes; !slices.Contains(modes, wanted.VolumeAccessMode) {
		say("access "+strings.Trim(fmt.Sprint(modes), "[]"), "volumeAccessMode", string(wanted.VolumeAccessMode), "a claim keeps its access mode: correct the spec, or name another claim")
	}
	return found
}

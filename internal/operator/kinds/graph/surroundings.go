package graph

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// ensureClaims creates the claims that the graph wants created, unless others
// that it expects to exist do not. An existing claim is used as it is.
func (l *life) ensureClaims(ctx context.Context) error {
	var create []v1alpha1.PVC
	var missing []string
	for _, pvc := range l.dgd.Spec.PVCs {
		exists, err := l.claimExists(ctx, pvc.Name)
		switch {
		case err != nil:
			return err
		case exists:
		case pvc.Create:
			create = append(create, pvc)
		default:
			missing = append(missing, pvc.Name)
		}
	}
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

// claimObject reads claims as metadata only: whether they exist is all that
// matters here.
func claimObject() *metav1.PartialObjectMetadata {
	claim := &metav1.PartialObjectMetadata{}
	claim.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
	return claim
}

func (l *life) claimExists(ctx context.Context, name string) (bool, error) {
	err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.dgd.Namespace, Name: name}, claimObject())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read PersistentVolumeClaim %s/%s: %w", l.dgd.Namespace, name, err)
	}
	return true, nil
}

// defaultPullSecrets are the references, never the Secrets, that the
// namespace's default ServiceAccount gives to its pods.
func (l *life) defaultPullSecrets(ctx context.Context) ([]corev1.LocalObjectReference, error) {
	var account corev1.ServiceAccount
	err := l.Client.Get(ctx, client.ObjectKey{Namespace: l.dgd.Namespace, Name: "default"}, &account)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read ServiceAccount %s/default: %w", l.dgd.Namespace, err)
	}
	return account.ImagePullSecrets, nil
}

// applyAccess gives the graph's pods the access that they need, and takes back
// what they needed under another discovery backend.
func (l *life) applyAccess(ctx context.Context) error {
	pullSecrets, err := l.defaultPullSecrets(ctx)
	if err != nil {
		return err
	}
	objects := render.Graph(l.dgd, l.Config, pullSecrets)
	if p := objects.Planner; p != nil {
		for _, shared := range []client.Object{p.ServiceAccount, p.RoleBinding} {
			if err := l.Apply.ApplyShared(ctx, l.dgd, shared); err != nil {
				return err
			}
		}
	}
	return l.Apply.Sync(ctx, l.dgd, accessObjects(objects.Access), accessKinds()...)
}

func accessObjects(access *render.GraphAccess) []client.Object {
	switch {
	case access == nil:
		return nil
	case access.Role == nil:
		return []client.Object{access.ServiceAccount}
	default:
		return []client.Object{access.ServiceAccount, access.Role, access.RoleBinding}
	}
}

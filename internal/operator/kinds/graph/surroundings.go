package graph

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

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

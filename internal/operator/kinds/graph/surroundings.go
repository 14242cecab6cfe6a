package graph

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/sshkeys"
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
	for _, shared := range objects.Shared {
		for _, object := range []client.Object{shared.ServiceAccount, shared.RoleBinding} {
			if err := l.Apply.ApplyShared(ctx, l.dgd, object); err != nil {
				return err
			}
		}
	}
	return l.Apply.Sync(ctx, l.dgd, accessObjects(objects.Access), accessKinds()...)
}

// applyPicker has gateways find the graph's endpoint picker, and the picker its
// configuration. One that no picker reads any more stays with the graph.
func (l *life) applyPicker(ctx context.Context) error {
	picker, err := render.Picker(l.dgd)
	if err != nil {
		return lifecycle.Refuse(reasonUnsupported, err.Error())
	}
	var wanted []client.Object
	if picker != nil && picker.Config != nil {
		wanted = append(wanted, picker.Config)
	}
	if picker != nil {
		wanted = append(wanted, picker.Pool)
	}
	return l.Apply.Sync(ctx, l.dgd, wanted, pickerKinds(l.Cluster)...)
}

// ensureKeys makes what pods need that meet by SSH; those of components have
// their own.
func (l *life) ensureKeys(ctx context.Context) error {
	if !l.way.Runs(render.PathGrove) {
		return nil
	}
	for _, service := range l.dgd.Spec.Services {
		if render.MeetsBySSH(l.dgd.Spec.BackendFramework, service) {
			return sshkeys.Ensure(ctx, l.Apply, l.dgd)
		}
	}
	return nil
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

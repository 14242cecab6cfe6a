// Package sshkeys makes the key pair by which the pods of a group start each
// other's processes: one per namespace, which everybody there could have anyway,
// and no other. The operator never reads one.
package sshkeys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Rule is the right on the Secrets of this name. They are created by an apply, so
// that even create can be limited to it.
func Rule() rbacv1.PolicyRule {
	return lifecycle.Named(lifecycle.Rule("", "secrets", "get", "create", "patch"), render.SSHKeySecret)
}

// Ensure makes the key pair of regarding's namespace if there is none. Whatever
// has its name is left alone: somebody may have brought a pair of his own.
func Ensure(ctx context.Context, applier *apply.Applier, regarding client.Object) error {
	return applier.CreateOnce(ctx, regarding, client.ObjectKey{Namespace: regarding.GetNamespace(), Name: render.SSHKeySecret},
		corev1.SchemeGroupVersion.WithKind("Secret"), func() (client.Object, error) { return pair(regarding.GetNamespace()) })
}

// pair is of a curve that FIPS allows.
func pair(namespace string) (*corev1.Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an SSH key: %w", err)
	}
	private, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, fmt.Errorf("write an SSH key: %w", err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("write an SSH key: %w", err)
	}
	return render.SSHKeys(namespace, pem.EncodeToMemory(private), ssh.MarshalAuthorizedKey(public)), nil
}

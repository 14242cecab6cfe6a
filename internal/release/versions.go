package release

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/utils/ptr"
)

// versioned are Secrets that change only from the state that was read: it
// remembers the version of each when it was first returned, and asks the API
// server to compare it. Helm writes records blindly, and so two clients could
// both call their revision the deployed one.
type versioned struct {
	typedcorev1.SecretInterface

	mutex sync.Mutex
	// versions are by name.
	versions map[string]string
}

func newVersioned(secrets typedcorev1.SecretInterface) *versioned {
	return &versioned{SecretInterface: secrets, versions: map[string]string{}}
}

// read notes what a Secret was like when what is now done to it was decided.
func (v *versioned) read(secret *corev1.Secret) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.versions[secret.Name] == "" {
		v.versions[secret.Name] = secret.ResourceVersion
	}
}

// wrote notes what we made of a Secret.
func (v *versioned) wrote(secret *corev1.Secret) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.versions[secret.Name] = secret.ResourceVersion
}

// version is what was read last; empty if that Secret was not read.
func (v *versioned) version(name string) string {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.versions[name]
}

// Get implements typedcorev1.SecretInterface.
func (v *versioned) Get(ctx context.Context, name string, options metav1.GetOptions) (*corev1.Secret, error) {
	secret, err := v.SecretInterface.Get(ctx, name, options)
	if err == nil {
		v.read(secret)
	}
	return secret, err
}

// List implements typedcorev1.SecretInterface.
func (v *versioned) List(ctx context.Context, options metav1.ListOptions) (*corev1.SecretList, error) {
	list, err := v.SecretInterface.List(ctx, options)
	if err == nil {
		for i := range list.Items {
			v.read(&list.Items[i])
		}
	}
	return list, err
}

// Create implements typedcorev1.SecretInterface.
func (v *versioned) Create(ctx context.Context, secret *corev1.Secret, options metav1.CreateOptions) (*corev1.Secret, error) {
	created, err := v.SecretInterface.Create(ctx, secret, options)
	if err == nil {
		v.wrote(created)
	}
	return created, err
}

// Update implements typedcorev1.SecretInterface.
func (v *versioned) Update(ctx context.Context, secret *corev1.Secret, options metav1.UpdateOptions) (*corev1.Secret, error) {
	secret.ResourceVersion = v.version(secret.Name)
	updated, err := v.SecretInterface.Update(ctx, secret, options)
	if err != nil {
		return updated, changedMeanwhile(secret.Name, err)
	}
	v.wrote(updated)
	return updated, nil
}

// Delete implements typedcorev1.SecretInterface.
func (v *versioned) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	if version := v.version(name); version != "" {
		options.Preconditions = &metav1.Preconditions{ResourceVersion: ptr.To(version)}
	}
	return changedMeanwhile(name, v.SecretInterface.Delete(ctx, name, options))
}

// changedMeanwhile explains a refusal that is about versions.
func changedMeanwhile(name string, err error) error {
	if !apierrors.IsConflict(err) {
		return err
	}
	return fmt.Errorf("another client has changed the record %s since it was read; run the same command again: %w", name, err)
}

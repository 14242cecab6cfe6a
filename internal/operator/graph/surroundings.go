package graph

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// ensureClaims creates the claims that the graph wants created. If the graph
// expects others to exist that do not, it returns their names and creates
// nothing. An existing claim is used as it is.
func (c *Controller) ensureClaims(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment) (missing []string, err error) {
	var create []v1alpha1.PVC
	for _, pvc := range dgd.Spec.PVCs {
		exists, err := c.claimExists(ctx, dgd.Namespace, pvc.Name)
		switch {
		case err != nil:
			return nil, err
		case exists:
		case pvc.Create:
			create = append(create, pvc)
		default:
			missing = append(missing, pvc.Name)
		}
	}
	if len(missing) > 0 {
		return missing, nil
	}
	for _, pvc := range create {
		if err := c.Apply.CreateIfMissing(ctx, dgd, render.Claim(dgd, pvc)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// claimObject reads claims as metadata only: whether they exist is all that
// matters here.
func claimObject() *metav1.PartialObjectMetadata {
	claim := &metav1.PartialObjectMetadata{}
	claim.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
	return claim
}

func (c *Controller) claimExists(ctx context.Context, namespace, name string) (bool, error) {
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, claimObject())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read PersistentVolumeClaim %s/%s: %w", namespace, name, err)
	}
	return true, nil
}

// defaultPullSecrets are the references, never the Secrets, that the
// namespace's default ServiceAccount gives to its pods.
func (c *Controller) defaultPullSecrets(ctx context.Context, namespace string) ([]corev1.LocalObjectReference, error) {
	var account corev1.ServiceAccount
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &account)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read ServiceAccount %s/default: %w", namespace, err)
	}
	return account.ImagePullSecrets, nil
}

// applyAccess gives the graph's pods the access that they need, and takes back
// what they needed under another discovery backend.
func (c *Controller) applyAccess(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment, objects *render.GraphObjects) error {
	if p := objects.Planner; p != nil {
		if err := c.Apply.ApplyShared(ctx, dgd, p.ServiceAccount); err != nil {
			return err
		}
		if err := c.Apply.ApplyShared(ctx, dgd, p.RoleBinding); err != nil {
			return err
		}
	}
	keep := map[string]bool{}
	for _, object := range accessObjects(objects.Access) {
		keep[object.GetName()] = true
		if err := c.Apply.Apply(ctx, dgd, object); err != nil {
			return err
		}
	}
	return c.pruneAccess(ctx, dgd, keep)
}

// accessObjects: no two of them, of whatever kind, have the same name.
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

func (c *Controller) pruneAccess(ctx context.Context, dgd *v1alpha1.DynamoGraphDeployment, keep map[string]bool) error {
	var existing []client.Object
	of := []client.ListOption{
		client.InNamespace(dgd.Namespace),
		client.MatchingLabels{v1alpha1.LabelGraphDeploymentName: dgd.Name},
	}
	var bindings rbacv1.RoleBindingList
	var roles rbacv1.RoleList
	var accounts corev1.ServiceAccountList
	for _, list := range []client.ObjectList{&bindings, &roles, &accounts} {
		if err := c.Client.List(ctx, list, of...); err != nil {
			return fmt.Errorf("list the access objects of %s/%s: %w", dgd.Namespace, dgd.Name, err)
		}
	}
	for i := range bindings.Items {
		existing = append(existing, &bindings.Items[i])
	}
	for i := range roles.Items {
		existing = append(existing, &roles.Items[i])
	}
	for i := range accounts.Items {
		existing = append(existing, &accounts.Items[i])
	}
	return c.Apply.Prune(ctx, dgd, existing, keep)
}

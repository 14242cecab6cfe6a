package objects

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// MakeWay lets the claims of an object grow, deletes it and waits until it is gone, so
// that another can be made of it. It goes on wherever an earlier run ended: what has
// grown, has gone or is another object by now is left as it is.
func (o *Objects) MakeWay(ctx context.Context, gvr schema.GroupVersionResource, namespace, name string, r *rollout.Replacement, waiting rollout.Waiting) error {
	client, called := o.session.ClientFor(gvr, namespace), gvr.Resource+" "+session.JoinName(namespace, name)
	live, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && string(live.GetUID()) != r.UID {
		return nil
	}
	if err != nil {
		return o.session.Explain("read "+called, err)
	}
	for _, claim := range r.Claims {
		if err := o.grow(ctx, namespace, claim); err != nil {
			return err
		}
	}
	if live.GetDeletionTimestamp() == nil {
		propagation, uid := metav1.DeletePropagationBackground, live.GetUID()
		if r.PodsStay {
			propagation = metav1.DeletePropagationOrphan
		}
		err = client.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) {
			return o.session.Explain("delete "+called, err)
		}
	}
	if err := o.wait.Gone(ctx, gvr, namespace, name, waiting.Patience, waiting.Report); err != nil {
		return fmt.Errorf("%s %w", called, err)
	}
	return nil
}

// grow makes a claim bigger, unless it is so already or has gone.
func (o *Objects) grow(ctx context.Context, namespace string, claim rollout.Claim) error {
	claims := o.session.Kube.CoreV1().PersistentVolumeClaims(namespace)
	live, err := claims.Get(ctx, claim.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return o.session.Explain("read volume claim "+namespace+"/"+claim.Name, err)
	}
	size, err := resource.ParseQuantity(claim.New)
	if err != nil {
		return fmt.Errorf("volume claim %s/%s: %w", namespace, claim.Name, err)
	}
	if now := live.Spec.Resources.Requests[corev1.ResourceStorage]; now.Cmp(size) >= 0 {
		return nil
	}
	_, err = claims.Patch(ctx, claim.Name, types.MergePatchType, claim.Patch(), metav1.PatchOptions{FieldManager: marks.FieldManager})
	return o.session.Explain("grow volume claim "+namespace+"/"+claim.Name, err)
}

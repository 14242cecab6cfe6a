package objects

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Running lists the images that run in some namespaces beside graphs, and the volume
// claims there. What may not be listed is left out.
func (o *Objects) Running(ctx context.Context, namespaces []string) ([]rollout.Running, []rollout.Volume, error) {
	running, volumes := make([][]rollout.Running, len(namespaces)), make([][]rollout.Volume, len(namespaces))
	group, ctx := errgroup.WithContext(ctx)
	for i, namespace := range namespaces {
		group.Go(func() error {
			pods, err := o.session.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "!" + v1alpha1.LabelGraphDeploymentName})
			if err != nil && !apierrors.IsForbidden(err) {
				return o.session.Explain("list pods in "+namespace, err)
			}
			if err == nil {
				running[i] = imagesOf(namespace, pods.Items)
			}
			return nil
		})
		group.Go(func() error {
			claims, err := o.session.Kube.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
			if err != nil && !apierrors.IsForbidden(err) {
				return o.session.Explain("list volume claims in "+namespace, err)
			}
			if err == nil {
				volumes[i] = volumesOf(claims.Items)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.Concat(running...), slices.Concat(volumes...), nil
}

// imagesOf counts pods by the images of their containers, those that have ended aside.
func imagesOf(namespace string, pods []corev1.Pod) []rollout.Running {
	counted := map[string]*rollout.Running{}
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, container := range pod.Spec.Containers {
			r := counted[container.Image]
			if r == nil {
				r = &rollout.Running{Namespace: namespace, Image: container.Image}
				counted[container.Image] = r
			}
			r.Containers++
			if slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == container.Name && s.Ready }) {
				r.Ready++
			}
		}
	}
	out := make([]rollout.Running, 0, len(counted))
	for _, r := range counted {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b rollout.Running) int { return cmp.Compare(a.Image, b.Image) })
	return out
}

func volumesOf(claims []corev1.PersistentVolumeClaim) (out []rollout.Volume) {
	for _, claim := range claims {
		volume := rollout.Volume{Namespace: claim.Namespace, Claim: claim.Name, Phase: string(claim.Status.Phase), Created: claim.CreationTimestamp.Time}
		size := claim.Status.Capacity.Storage()
		if size.IsZero() {
			size = claim.Spec.Resources.Requests.Storage()
		}
		volume.Size = size.String()
		if claim.Spec.StorageClassName != nil {
			volume.Class = *claim.Spec.StorageClassName
		}
		out = append(out, volume)
	}
	return out
}

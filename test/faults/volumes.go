package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// storeCharts are the small ones with a volume, which is bigger in two.yaml.
var storeCharts = &chartSet{
	source: smallCharts.source,
	files: map[string]wanted{
		"one.yaml": {values: "platform: {version: one, store: 1Gi}"}, "two.yaml": {values: "platform: {version: one, store: 2Gi}"},
	},
	tenants: "a b", group: "%s.example.com", objects: "things", stores: true,
}

// volumeScenarios let a volume grow: its claim does, and the StatefulSet that made it
// is replaced without its pods. Nothing runs pods here, so nobody waits for them.
func volumeScenarios() []scenario {
	grow := slices.Concat(applyTwo, []string{"--no-wait", "--recreate", "StatefulSet/store"})
	return []scenario{
		{name: "volumes that grow", charts: storeCharts, before: [][]string{slices.Concat(applyOne, []string{"--no-wait"})}, disturbed: grow},
	}
}

// growing is the storage class of the volumes.
const growing = "grows"

// The names that the chart and Kubernetes give.
const (
	storePod   = "store-0"
	storeClaim = "data-store-0"
)

// bind is the storage of a fleet with volumes: it waits until each claim has its
// volume, and notes which pods there are.
func (h *harness) bind(ctx context.Context, f *fleet) error {
	if !f.stores {
		return nil
	}
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: growing}, Provisioner: "example.com/nobody", AllowVolumeExpansion: ptr.To(true)}
	if _, err := h.node.client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	pods := map[string]types.UID{}
	for tenant := range strings.FieldsSeq(f.tenants) {
		namespace := f.name + "-" + tenant
		if err := h.bound(ctx, tenant+"."+f.name, namespace); err != nil {
			return fmt.Errorf("the volume in %s: %w", namespace, err)
		}
		pod, err := h.node.client.CoreV1().Pods(namespace).Get(ctx, storePod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		pods[namespace] = pod.UID
	}
	if f.pods == nil {
		f.pods = pods
	}
	return nil
}

// bound makes the volume of a claim and waits until they have found each other.
func (h *harness) bound(ctx context.Context, name, namespace string) error {
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: growing, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			ClaimRef:               &corev1.ObjectReference{Namespace: namespace, Name: storeClaim},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "example.com", VolumeHandle: name}},
		},
	}
	if _, err := h.node.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; pause(ctx) {
		claim, err := h.node.client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, storeClaim, metav1.GetOptions{})
		if err == nil && claim.Status.Phase == corev1.ClaimBound {
			_, err = h.node.client.CoreV1().Pods(namespace).Get(ctx, storePod, metav1.GetOptions{})
			if err == nil {
				return nil
			}
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("it is not bound: %w", context.DeadlineExceeded)
		}
	}
}

// samePods makes sure that no pod with a volume has become another, and that each
// belongs to the StatefulSet that is there.
func (h *harness) samePods(ctx context.Context, f *fleet) error {
	for namespace, uid := range f.pods {
		for deadline := time.Now().Add(time.Minute); ; pause(ctx) {
			pod, err := h.node.client.CoreV1().Pods(namespace).Get(ctx, storePod, metav1.GetOptions{})
			if err != nil || pod.UID != uid || pod.DeletionTimestamp != nil {
				return fmt.Errorf("the pod %s in %s has not stayed: %w", storePod, namespace, err)
			}
			set, err := h.node.client.AppsV1().StatefulSets(namespace).Get(ctx, "store", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if owner := metav1.GetControllerOf(pod); owner != nil && owner.UID == set.UID {
				break
			}
			if time.Now().After(deadline) || ctx.Err() != nil {
				return fmt.Errorf("nobody has adopted the pod %s in %s", storePod, namespace)
			}
		}
	}
	return nil
}

package manager

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// bind is a storage driver: it makes a claim a volume, and waits until Kubernetes has
// brought the two together.
func bind(ts *testscript.TestScript, _ bool, args []string) {
	namespace, name, class := args[0], args[1], args[2]
	kube, err := kubernetes.NewForConfig(shared.Config)
	ts.Check(err)
	ctx := context.Background()
	_, err = kube.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: class}, Provisioner: "example.com/nobody", AllowVolumeExpansion: ptr.To(args[3] == "yes"),
	}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		ts.Check(err)
	}
	claims, made := kube.CoreV1().PersistentVolumeClaims(namespace), false
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		claim, err := claims.Get(ctx, name, metav1.GetOptions{})
		if err == nil && !made {
			_, err := kube.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
				ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name},
				Spec: corev1.PersistentVolumeSpec{
					Capacity: claim.Spec.Resources.Requests, AccessModes: claim.Spec.AccessModes, StorageClassName: class,
					PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
					ClaimRef:                      &corev1.ObjectReference{Namespace: namespace, Name: name},
					PersistentVolumeSource:        corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "example.com", VolumeHandle: name}},
				},
			}, metav1.CreateOptions{})
			ts.Check(err)
			made = true
		}
		if err == nil && claim.Status.Phase == corev1.ClaimBound {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("claim %s/%s is not bound: %v", namespace, name, err)
		}
	}
}

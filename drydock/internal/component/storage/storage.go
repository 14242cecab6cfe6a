// Package storage is the provisioner behind the default StorageClass: each volume is a real directory on the node.
package storage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Run serves claims until it is told to stop. Flags: --kubeconfig FILE, --provisioner NAME, --directory DIR.
func Run(args []string) error {
	flags := flag.NewFlagSet("storage-provisioner", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "file with the credentials to act with")
	name := flags.String("provisioner", "", "provisioner name in the StorageClass")
	directory := flags.String("directory", "", "folder that the volumes are made in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	provisioner := directories{root: *directory}
	controller.NewProvisionController(ctx, client, *name, provisioner, controller.LeaderElection(false)).Run(ctx)
	return nil
}

// directories makes one folder per volume below root.
type directories struct{ root string }

// Provision makes the folder and describes it. Every access mode is granted: with one node there is nothing to forbid.
func (d directories) Provision(_ context.Context, options controller.ProvisionOptions) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
	if mode := options.PVC.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
		return nil, controller.ProvisioningFinished, errors.New("this class has only file system volumes; set volumeMode: Filesystem")
	}
	path := filepath.Join(d.root, options.PVName)
	if err := makeOpen(path); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return d.describe(path, options), controller.ProvisioningFinished, nil
}

// makeOpen makes a folder that a pod of any user can write to, since Kubernetes does not change the owner of such volumes.
func makeOpen(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777) // whatever the umask said
}

func (d directories) describe(path string, options controller.ProvisionOptions) *corev1.PersistentVolume {
	created := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			MountOptions:                  options.StorageClass.MountOptions,
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: options.PVC.Spec.Resources.Requests[corev1.ResourceStorage],
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &created},
			},
		},
	}
}

// Delete removes the volume's folder. A volume that says it is elsewhere is refused: its path is only as trustworthy as whoever wrote it.
func (d directories) Delete(_ context.Context, volume *corev1.PersistentVolume) error {
	path := filepath.Join(d.root, volume.Name)
	if source := volume.Spec.HostPath; source == nil || source.Path != path {
		return fmt.Errorf("volume %s is not the folder %s; remove its data by hand", volume.Name, path)
	}
	return os.RemoveAll(path)
}

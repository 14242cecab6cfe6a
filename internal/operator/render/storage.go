package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	sharedMemoryVolume = "shared-memory"
	sharedMemoryPath   = "/dev/shm"
	// vllmCachePath is where vLLM keeps compiled kernels when nobody says otherwise.
	vllmCachePath = "/root/.cache/vllm"
)

var sharedMemoryDefault = resource.MustParse("8Gi")

// volumes are the claims that the service mounts, what its type needs, and the
// shared memory.
func (c *component) volumes() []corev1.Volume {
	volumes := c.pickerVolumes()
	for _, mount := range c.spec.VolumeMounts {
		volumes = append(volumes, corev1.Volume{Name: mount.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: mount.Name},
		}})
	}
	// A user who mounts something of his own at /dev/shm needs no second one.
	for _, mount := range c.userMainContainer().VolumeMounts {
		if mount.MountPath == sharedMemoryPath {
			return volumes
		}
	}
	if size := c.sharedMemory(); size != nil {
		volumes = append(volumes, corev1.Volume{Name: sharedMemoryVolume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: size},
		}})
	}
	return volumes
}

// VolumeNames are those of the volumes that the pods of a service can mount.
func VolumeNames(engine v1alpha1.BackendFramework, spec *v1alpha1.DynamoComponentDeploymentSharedSpec) (names []string) {
	c := &component{spec: spec, engine: engine, kind: typeOf(spec.ComponentType)}
	for _, volume := range append(c.userPodSpec().Volumes, c.volumes()...) {
		names = append(names, volume.Name)
	}
	if MeetsBySSH(engine, spec) {
		names = append(names, SSHKeySecret, sshFolderVolume)
	}
	return names
}

// sharedMemory is the size of /dev/shm, nil when it is disabled.
func (c *component) sharedMemory() *resource.Quantity {
	size := sharedMemoryDefault.DeepCopy()
	if s := c.spec.SharedMemory; s != nil {
		if s.Disabled {
			return nil
		}
		size = s.Size.DeepCopy()
	}
	return &size
}

func (c *component) volumeMounts() []corev1.VolumeMount {
	mounts := c.pickerMounts()
	for _, mount := range c.spec.VolumeMounts {
		mounts = append(mounts, corev1.VolumeMount{Name: mount.Name, MountPath: c.mountPoint(mount)})
	}
	if c.sharedMemory() != nil {
		mounts = append(mounts, corev1.VolumeMount{Name: sharedMemoryVolume, MountPath: sharedMemoryPath})
	}
	return mounts
}

func (c *component) mountPoint(mount v1alpha1.VolumeMount) string {
	if mount.MountPoint == "" && mount.UseAsCompilationCache && c.engine == v1alpha1.BackendFrameworkVLLM {
		return vllmCachePath
	}
	return mount.MountPoint
}

// compilationCache is where vLLM finds its cache volume, "" without one.
func (c *component) compilationCache() string {
	if c.engine != v1alpha1.BackendFrameworkVLLM {
		return ""
	}
	for _, mount := range c.spec.VolumeMounts {
		if mount.UseAsCompilationCache {
			return c.mountPoint(mount)
		}
	}
	return ""
}

// Claim renders a claim that the graph wants created when it is missing. It
// has no owner: model weights and caches outlive the graph that fetched them,
// and whoever deletes data does so on purpose.
func Claim(dgd *v1alpha1.DynamoGraphDeployment, pvc v1alpha1.PVC) *corev1.PersistentVolumeClaim {
	claim := &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Name: pvc.Name, Namespace: dgd.Namespace,
			Labels: mergeMaps(graphLabels(dgd.Name), managedBy()),
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{pvc.VolumeAccessMode},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: pvc.Size.DeepCopy()},
			},
		},
	}
	// An empty name would mean a volume without a class.
	if pvc.StorageClass != "" {
		claim.Spec.StorageClassName = &pvc.StorageClass
	}
	return claim
}

package render

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/launch"
)

// SSHKeySecret is the Secret of the key pair by which the pods of a group meet,
// under its published name. All graphs of a namespace share it.
const SSHKeySecret = "mpi-run-ssh-secret"

// sshFolderVolume is where a pod writes its copies of the keys: nowhere but in its
// own memory.
const sshFolderVolume = "mpi-run-ssh-folder"

// MeetsBySSH reports whether the pods of a service need the key pair.
func MeetsBySSH(declared v1alpha1.BackendFramework, service *v1alpha1.DynamoComponentDeploymentSharedSpec) bool {
	engine, err := Engine(declared, service)
	return err == nil && engine == v1alpha1.BackendFrameworkTRTLLM && service.NodeCount() > 1
}

// SSHKeys renders the Secret of a key pair. Nobody can change it: pods that have
// started with one pair would not know those of another.
func SSHKeys(namespace string, private, public []byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: SSHKeySecret, Namespace: namespace, Labels: managedBy()},
		Immutable:  ptr.To(true),
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{launch.SSHPrivateKey: private, launch.SSHPublicKey: public},
	}
}

// meetBySSH gives the pods of a group the keys. The files can be read by whatever
// user the container has; ssh only takes the copies that this user makes.
func meetBySSH(leader, worker *corev1.PodTemplateSpec) {
	for _, pods := range []*corev1.PodTemplateSpec{leader, worker} {
		pods.Spec.Volumes = mergeByKey(pods.Spec.Volumes, []corev1.Volume{
			{Name: SSHKeySecret, VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: SSHKeySecret, DefaultMode: ptr.To[int32](0o444)},
			}},
			{Name: sshFolderVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		}, volumeName)
		main := mainContainer(pods.Spec)
		main.VolumeMounts = mergeByKey(main.VolumeMounts, []corev1.VolumeMount{
			{Name: SSHKeySecret, MountPath: launch.SSHKeys, ReadOnly: true},
			{Name: sshFolderVolume, MountPath: launch.SSHFolder},
		}, mountPath)
		// Or else Open MPI cuts the hosts' names at the first dot.
		main.Env = mergeEnv([]corev1.EnvVar{{Name: "OMPI_MCA_orte_keep_fqdn_hostnames", Value: "1"}}, main.Env)
	}
	mainContainer(worker.Spec).ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(launch.SSHPort)}},
		PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 10,
	}
}

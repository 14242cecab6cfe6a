package validate

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// containers checks what the API server would refuse of the containers that a
// service writes. Grove's takes it, and its pods never come.
func containers(path *field.Path, engine v1alpha1.BackendFramework, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	errs := variables(path.Child("envs"), s.Envs)
	if s.ExtraPodSpec == nil {
		return errs
	}
	at, volumes := path.Child("extraPodSpec"), render.VolumeNames(engine, s)
	if main := s.ExtraPodSpec.MainContainer; main != nil {
		errs = append(errs, container(at.Child("mainContainer"), main, volumes)...)
	}
	if s.ExtraPodSpec.PodSpec == nil {
		return errs
	}
	errs = append(errs, placement(at, s.ExtraPodSpec.PodSpec)...)
	names := []string{v1alpha1.MainContainerName}
	for _, list := range []struct {
		path *field.Path
		of   []corev1.Container
	}{{at.Child("containers"), s.ExtraPodSpec.Containers}, {at.Child("initContainers"), s.ExtraPodSpec.InitContainers}} {
		for i := range list.of {
			errs = append(errs, sidecar(list.path.Index(i), &list.of[i], names)...)
			errs = append(errs, container(list.path.Index(i), &list.of[i], volumes)...)
			names = append(names, list.of[i].Name)
		}
	}
	return errs
}

// placement checks what else a pod says of itself.
func placement(path *field.Path, pod *corev1.PodSpec) field.ErrorList {
	errs := metav1validation.ValidateLabels(pod.NodeSelector, path.Child("nodeSelector"))
	for i, volume := range pod.Volumes {
		for _, wrong := range validation.IsDNS1123Label(volume.Name) {
			errs = append(errs, field.Invalid(path.Child("volumes").Index(i).Child("name"), volume.Name, wrong))
		}
	}
	for i, toleration := range pod.Tolerations {
		at := path.Child("tolerations").Index(i)
		if toleration.Key != "" {
			errs = append(errs, metav1validation.ValidateLabelName(toleration.Key, at.Child("key"))...)
		}
		if toleration.Operator == corev1.TolerationOpExists && toleration.Value != "" {
			errs = append(errs, field.Invalid(at.Child("value"), toleration.Value, "must be empty where operator is Exists"))
		}
		if toleration.Key == "" && toleration.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(at.Child("operator"), toleration.Operator, "must be Exists without a key"))
		}
	}
	return errs
}

// sidecar is a container that has nothing from the operator.
func sidecar(path *field.Path, c *corev1.Container, names []string) (errs field.ErrorList) {
	for _, wrong := range validation.IsDNS1123Label(c.Name) {
		errs = append(errs, field.Invalid(path.Child("name"), c.Name, wrong))
	}
	if c.Name != v1alpha1.MainContainerName && slices.Contains(names, c.Name) {
		errs = append(errs, field.Duplicate(path.Child("name"), c.Name))
	}
	if strings.TrimSpace(c.Image) == "" {
		errs = append(errs, field.Required(path.Child("image"), "name the image that the container runs"))
	}
	return errs
}

func container(path *field.Path, c *corev1.Container, volumes []string) field.ErrorList {
	errs := variables(path.Child("env"), c.Env)
	if c.Image != strings.TrimSpace(c.Image) {
		errs = append(errs, field.Invalid(path.Child("image"), c.Image, "has spaces around it"))
	}
	for i, p := range c.Ports {
		at := path.Child("ports").Index(i)
		for _, wrong := range validation.IsValidPortNum(int(p.ContainerPort)) {
			errs = append(errs, field.Invalid(at.Child("containerPort"), p.ContainerPort, wrong))
		}
		if p.Name == "" {
			continue
		}
		for _, wrong := range validation.IsValidPortName(p.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), p.Name, wrong))
		}
	}
	for i, mount := range c.VolumeMounts {
		at := path.Child("volumeMounts").Index(i)
		if !slices.Contains(volumes, mount.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), mount.Name, "no volume has this name: add it to extraPodSpec.volumes, or mount a claim by the service's volumeMounts"))
		}
		if mount.MountPath == "" || strings.Contains(mount.MountPath, ":") {
			errs = append(errs, field.Invalid(at.Child("mountPath"), mount.MountPath, "must be a path without a colon"))
		}
	}
	errs = append(errs, times(path.Child("livenessProbe"), c.LivenessProbe, true)...)
	errs = append(errs, times(path.Child("readinessProbe"), c.ReadinessProbe, false)...)
	return append(errs, times(path.Child("startupProbe"), c.StartupProbe, true)...)
}

func variables(path *field.Path, envs []corev1.EnvVar) (errs field.ErrorList) {
	for i, env := range envs {
		at := path.Index(i).Child("name")
		if env.Name == "" {
			errs = append(errs, field.Required(at, "a variable has a name"))
			continue
		}
		for _, wrong := range validation.IsRelaxedEnvVarName(env.Name) {
			errs = append(errs, field.Invalid(at, env.Name, wrong))
		}
	}
	return errs
}

// times checks the numbers of a probe. once: it succeeds when it does so once.
func times(path *field.Path, p *corev1.Probe, once bool) (errs field.ErrorList) {
	if p == nil {
		return nil
	}
	for _, number := range []struct {
		name  string
		value int32
	}{
		{"initialDelaySeconds", p.InitialDelaySeconds}, {"timeoutSeconds", p.TimeoutSeconds}, {"periodSeconds", p.PeriodSeconds},
		{"successThreshold", p.SuccessThreshold}, {"failureThreshold", p.FailureThreshold},
	} {
		if number.value < 0 {
			errs = append(errs, field.Invalid(path.Child(number.name), number.value, "must not be negative"))
		}
	}
	if once && p.SuccessThreshold > 1 {
		errs = append(errs, field.Invalid(path.Child("successThreshold"), p.SuccessThreshold, "must be 1"))
	}
	for handler, port := range portsAsked(p) {
		if port.Type != intstr.Int {
			continue
		}
		for _, wrong := range validation.IsValidPortNum(port.IntValue()) {
			errs = append(errs, field.Invalid(path.Child(handler, "port"), port.IntValue(), wrong))
		}
	}
	return errs
}

func portsAsked(p *corev1.Probe) map[string]intstr.IntOrString {
	ports := map[string]intstr.IntOrString{}
	if p.HTTPGet != nil {
		ports["httpGet"] = p.HTTPGet.Port
	}
	if p.TCPSocket != nil {
		ports["tcpSocket"] = p.TCPSocket.Port
	}
	return ports
}

package checkpoint

import (
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

var engine = EngineOf(config.Checkpoint{Enabled: true, AgentImage: "agent:1", BasePath: "/checkpoints"})

// A stored process expects the mounts that it had.
func TestSourcesAndTargetsHaveTheSameMounts(t *testing.T) {
	source, target := worker("runtime:1"), worker("runtime:1")
	engine.Source(&source, "h")
	engine.Target(&target, "h")
	if !reflect.DeepEqual(source.Spec.Containers[0].VolumeMounts, target.Spec.Containers[0].VolumeMounts) || !reflect.DeepEqual(source.Spec.Volumes, target.Spec.Volumes) {
		t.Errorf("source %+v\ntarget %+v", source.Spec, target.Spec)
	}
}

// Neither gets a right, storage, or anything of its node.
func TestPodsStayWithoutPrivilege(t *testing.T) {
	source, target := worker("runtime:1"), worker("runtime:1")
	engine.Source(&source, "h")
	engine.Target(&target, "h")
	for _, pod := range []corev1.PodTemplateSpec{source, target} {
		if pod.Spec.HostIPC || pod.Spec.HostPID || pod.Spec.HostNetwork || pod.Spec.SecurityContext != nil || pod.Spec.Containers[0].SecurityContext != nil {
			t.Errorf("%+v", pod.Spec)
		}
		for _, volume := range pod.Spec.Volumes {
			if volume.EmptyDir == nil && volume.DownwardAPI == nil {
				t.Errorf("volume %s is of something else than the pod", volume.Name)
			}
		}
	}
}

func TestTheProgramOfGoListensByTCP(t *testing.T) {
	for name, tc := range map[string]struct {
		env  []corev1.EnvVar
		want string
	}{
		"nothing said":    {nil, "multipathtcp=0"},
		"something else":  {[]corev1.EnvVar{{Name: "GODEBUG", Value: "netdns=go"}}, "netdns=go,multipathtcp=0"},
		"said by author":  {[]corev1.EnvVar{{Name: "GODEBUG", Value: "multipathtcp=1"}}, "multipathtcp=1"},
		"from elsewhere":  {[]corev1.EnvVar{{Name: "GODEBUG", ValueFrom: &corev1.EnvVarSource{}}}, ""},
		"said, but empty": {[]corev1.EnvVar{{Name: "GODEBUG"}}, "multipathtcp=0"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := worker("runtime:1")
			pod.Spec.Containers[0].Env = tc.env
			engine.Source(&pod, "h")
			var got []string
			for _, variable := range pod.Spec.Containers[0].Env {
				if variable.Name == "GODEBUG" {
					got = append(got, variable.Value)
				}
			}
			if !slices.Equal(got, []string{tc.want}) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// The profile is only asked for where it is, and an author's own one stays.
func TestWhoHasTheProfileOfTheNodes(t *testing.T) {
	with := EngineOf(config.Checkpoint{SeccompProfile: "profiles/block-iouring.json"})
	pod, own := worker("runtime:1"), worker("runtime:1")
	own.Spec.SecurityContext = &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	with.Target(&pod, "h")
	with.Target(&own, "h")
	if got := pod.Spec.SecurityContext.SeccompProfile.LocalhostProfile; got == nil || *got != "profiles/block-iouring.json" {
		t.Errorf("%v", got)
	}
	if own.Spec.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the author's profile is gone")
	}
}

// A process that is restored knows its generation from the file alone.
func TestWhoAPodIsIsInItsFiles(t *testing.T) {
	pod := worker("runtime:1")
	main := &pod.Spec.Containers[0]
	main.Env = append(main.Env, corev1.EnvVar{Name: "DYN_NAMESPACE_WORKER_SUFFIX", Value: "0a1b2c3d"})
	engine.Target(&pod, "h")
	if got := pod.Annotations["nvidia.com/dyn-namespace"]; got != "team-chat-0a1b2c3d" {
		t.Errorf("got %q", got)
	}
}

// A placeholder answers no probe, and is not killed for that.
func TestAPlaceholderHasTimeToBeRestored(t *testing.T) {
	pod := worker("runtime:1")
	pod.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"x"}}}, FailureThreshold: 1, PeriodSeconds: 1}
	engine.Target(&pod, "h")
	startup := pod.Spec.Containers[0].StartupProbe
	if startup == nil || startup.Exec == nil || startup.PeriodSeconds*startup.FailureThreshold < 3600 {
		t.Errorf("%+v", startup)
	}
}

// What is restored is there at once, and would be seen only when a slow start is asked for next. A worker
// whose agent does not answer has its own time still when it starts anew.
func TestAPlaceholderIsAskedEachSecond(t *testing.T) {
	for name, tc := range map[string]struct {
		probe corev1.Probe
		want  int32
	}{
		"the runtime's": {corev1.Probe{PeriodSeconds: 10, FailureThreshold: 720}, 7200 + 120},
		"Kubernetes'":   {corev1.Probe{}, 30 + 120},
		"a late one":    {corev1.Probe{InitialDelaySeconds: 60, PeriodSeconds: 5, FailureThreshold: 2}, 70 + 120},
	} {
		pod := worker("runtime:1")
		pod.Spec.Containers[0].StartupProbe = tc.probe.DeepCopy()
		engine.Target(&pod, "h")
		got := pod.Spec.Containers[0].StartupProbe
		if got.PeriodSeconds != 1 || got.InitialDelaySeconds != 0 || got.FailureThreshold != tc.want {
			t.Errorf("%s: %+v, want %d times", name, got, tc.want)
		}
	}
}

package podhttp

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

func TestWhereFrontendsListen(t *testing.T) {
	ports := func(name string, number int32) []corev1.ContainerPort {
		return []corev1.ContainerPort{{Name: name, ContainerPort: number}}
	}
	says := func(component string) []corev1.EnvVar {
		return []corev1.EnvVar{{Name: "DYN_COMPONENT", Value: component}}
	}
	kind := map[string]string{v1alpha1.LabelComponentType: v1alpha1.ComponentTypeFrontend}
	class := map[string]string{v1alpha1.LabelComponentType: "decode", v1alpha1.LabelComponentClass: v1alpha1.ClassWorker}
	worker := corev1.Container{Name: "main", Env: says("decode"), Ports: ports("system", 9090)}
	for name, c := range map[string]struct {
		labels     map[string]string
		containers []corev1.Container
		want       string
	}{
		"a frontend":             {kind, []corev1.Container{{Name: "main", Ports: ports("http", 8080)}}, "http://10.0.0.1:8080"},
		"of no declared port":    {kind, []corev1.Container{{Name: "main"}}, "http://10.0.0.1:8000"},
		"with a proxy beside it": {kind, []corev1.Container{{Name: "proxy", Ports: ports("http", 80)}, {Name: "main", Ports: ports("http", 8080)}}, "http://10.0.0.1:8080"},
		"beside a worker":        {class, []corev1.Container{{Name: "front", Env: says("frontend"), Ports: ports("http", 8081)}, worker}, "http://10.0.0.1:8081"},
		"a worker":               {nil, []corev1.Container{{Name: "proxy", Ports: ports("http", 80)}, worker}, ""},
	} {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}, Spec: corev1.PodSpec{Containers: c.containers}, Status: corev1.PodStatus{PodIP: "10.0.0.1"}}
		if got := Frontend(pod); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestRandomGraphsSendNothingInvalid: of a graph that the definitions and the
// webhook accept, whatever is rendered on any way is valid to the API server and to
// the webhooks of LeaderWorkerSet. The variable OBJECTS says how many are tried.
func TestRandomGraphsSendNothingInvalid(t *testing.T) {
	wanted := 100
	if more, err := strconv.Atoi(os.Getenv("OBJECTS")); err == nil {
		wanted = more
	}
	ns := namespace(t)
	cluster.InstallGrove(t, adminClient(t))
	shared.StartLeaderWorkerSets(t, adminClient(t))
	cfg := config.Default()
	cfg.Ingress.ClassName, cfg.RBAC.PlannerClusterRoleName = "nginx", plannerRole
	count := map[string]int{}
	for seed := uint64(0); count["objects"] < wanted; seed++ {
		if count["objects"] == 0 && seed > 300 {
			t.Fatalf("nothing is accepted: %v", count)
		}
		r := &chance{rand.New(rand.NewPCG(seed, 0))}
		dgd := r.graph(ns)
		text, err := yaml.Marshal(dgd)
		if err != nil {
			t.Fatal(err)
		}
		count["graphs"]++
		if err := adminClient(t).Create(context.Background(), dgd.DeepCopy(), client.DryRunAll); err != nil {
			count["refused by the definition"]++
			continue
		}
		if errs, _ := validate.Graph(dgd, cfg); len(errs) > 0 {
			count["refused by the webhook"]++
			continue
		}
		for way, has := range map[string]render.Capabilities{
			"components": {LeaderWorkerSets: true}, "Grove": {Grove: true, LeaderWorkerSets: true}, "KAI": {Grove: true, KAI: true}, "bare": {},
		} {
			objects, err := renderedBy(dgd, cfg, has)
			if unsupported := (*render.UnsupportedError)(nil); errors.As(err, &unsupported) {
				count["cannot run by "+way]++
				continue
			}
			if err != nil {
				t.Errorf("seed %d is accepted, and cannot be rendered for %s: %v\n%s", seed, way, err, text)
			}
			for _, object := range objects {
				count["objects"]++
				count[fmt.Sprintf("%T", object)]++
				if err := adminClient(t).Create(context.Background(), object, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
					t.Errorf("seed %d by %s: %v\n%s", seed, way, err, text)
				}
			}
		}
		if t.Failed() {
			break
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%5d %s", count[what], what)
	}
}

// renderedBy is all that is sent for a graph, or why nothing is.
func renderedBy(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, has render.Capabilities) (objects []client.Object, err error) {
	path, err := render.PathwayOf(dgd, has, "")
	if err != nil {
		return nil, err
	}
	for _, pvc := range dgd.Spec.PVCs {
		if pvc.Create {
			objects = append(objects, render.Claim(dgd, pvc))
		}
	}
	if path.Name == render.PathGrove {
		gang, err := render.Grove(dgd, cfg, has, nil, render.Current)
		if err != nil {
			return nil, err
		}
		objects = append(objects, gang.Set)
		// Grove's definition looks into no pod, as that of Deployments does.
		for _, clique := range gang.Set.Spec.Template.Cliques {
			objects = append(objects, &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: dgd.Namespace, Name: clique.Name},
				Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: clique.Labels}, Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: clique.Labels, Annotations: clique.Annotations}, Spec: clique.Spec.PodSpec,
				}},
			})
		}
		for _, exposure := range gang.Exposures {
			objects = append(objects, exposed(exposure)...)
		}
		return objects, nil
	}
	for _, dcd := range render.Components(dgd, cfg, render.Current) {
		dcd.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(dgd, v1alpha1.GroupVersion.WithKind(v1alpha1.KindGraphDeployment))}
		dcd.OwnerReferences[0].UID = "0"
		objects = append(objects, dcd.DeepCopy())
		rendered, err := render.Component(dcd, cfg)
		if err != nil {
			return nil, err
		}
		if rendered.LeaderWorkerSet != nil {
			objects = append(objects, rendered.LeaderWorkerSet)
		} else {
			objects = append(objects, rendered.Deployment)
		}
		objects = append(objects, exposed(rendered.Exposure)...)
	}
	return objects, nil
}

func exposed(exposure render.Exposure) []client.Object {
	objects := []client.Object{exposure.Service}
	if exposure.Ingress != nil {
		objects = append(objects, exposure.Ingress)
	}
	return objects
}

// chance makes graphs, most of which are right in most of their fields.
type chance struct{ *rand.Rand }

// rarely is true once in n times.
func (r *chance) rarely(n int) bool { return r.IntN(n) == 0 }

// of is mostly one of the usual values, rarely an odd one.
func (r *chance) of(usual, odd []string) string {
	if len(odd) > 0 && r.rarely(25) {
		return odd[r.IntN(len(odd))]
	}
	return usual[r.IntN(len(usual))]
}

func (r *chance) graph(namespace string) *v1alpha1.DynamoGraphDeployment {
	dgd := &v1alpha1.DynamoGraphDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: r.of([]string{"a", "chat", "a-rather-long-name-of-a-graph"}, []string{"9lives", "a.b"}), Annotations: r.annotations()},
	}
	dgd.Spec.BackendFramework = v1alpha1.BackendFramework(r.of([]string{"", "", "vllm", "sglang", "trtllm"}, nil))
	dgd.Spec.Envs = r.envs()
	if r.rarely(4) {
		dgd.Spec.PVCs = []v1alpha1.PVC{{Name: "models", Create: r.rarely(2), Size: resource.MustParse("1Gi"), VolumeAccessMode: corev1.ReadWriteMany}}
	}
	dgd.Spec.Services = map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{}
	for range 1 + r.IntN(3) {
		name := r.of([]string{"Frontend", "decode", "prefill", "Worker", "Planner", "VllmDecodeWorker", "x"}, []string{"a_b", "-x", "0", "ö"})
		dgd.Spec.Services[name] = r.service(string(dgd.Spec.BackendFramework))
	}
	return dgd
}

func (r *chance) service(engine string) *v1alpha1.DynamoComponentDeploymentSharedSpec {
	s := &v1alpha1.DynamoComponentDeploymentSharedSpec{
		ComponentType: r.of([]string{"frontend", "worker", "worker", "prefill", "decode", "planner", "main", ""}, []string{"wroker"}),
		Annotations:   r.annotations(), Labels: r.labels(), Envs: r.envs(),
		Resources: &v1alpha1.Resources{Limits: &v1alpha1.ResourceItem{GPU: r.of([]string{"", "1", "4", "8"}, []string{"0", "1.5", "-1", "x"}), Memory: r.of([]string{"", "1Gi"}, []string{"lots"})}},
	}
	if r.rarely(2) {
		s.Replicas = ptr.To(int32(r.IntN(4)))
	}
	if r.rarely(2) {
		s.Multinode = &v1alpha1.MultinodeSpec{NodeCount: 2 + r.Int32N(2)}
	}
	if r.rarely(5) {
		s.SharedMemory = &v1alpha1.SharedMemorySpec{Disabled: r.rarely(2), Size: resource.MustParse("1Gi")}
	}
	if r.rarely(4) {
		s.VolumeMounts = []v1alpha1.VolumeMount{{Name: r.of([]string{"models"}, []string{"Shared_Memory", "shared-memory"}), MountPoint: r.of([]string{"/models", "/dev/shm"}, []string{"", "rel", "/a:b"}), UseAsCompilationCache: r.rarely(2)}}
	}
	if r.rarely(4) {
		s.Ingress = &v1alpha1.IngressSpec{Enabled: !r.rarely(3), Host: r.of([]string{"chat", "chat.local"}, []string{"", "*", "A B", "a..b"}), Labels: r.labels()}
	}
	if r.rarely(4) {
		s.ReadinessProbe = r.probe()
	}
	if r.rarely(6) {
		s.ExtraPodMetadata = &v1alpha1.ExtraPodMetadata{Labels: r.labels(), Annotations: r.annotations()}
	}
	s.ExtraPodSpec = &v1alpha1.ExtraPodSpec{PodSpec: r.pod(), MainContainer: r.container(engine)}
	return s
}

func (r *chance) pod() *corev1.PodSpec {
	pod := &corev1.PodSpec{}
	if r.rarely(5) {
		pod.SchedulerName = r.of([]string{"mine"}, []string{"Not Mine"})
	}
	if r.rarely(5) {
		pod.Volumes = []corev1.Volume{{Name: r.of([]string{"extra", "shared-memory", "mpi-run-ssh-secret"}, []string{"", "A"}), VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	if r.rarely(6) {
		pod.Tolerations = []corev1.Toleration{{Key: r.of([]string{"gpu"}, []string{"a b"}), Operator: corev1.TolerationOpExists, Value: r.of([]string{""}, []string{"x"})}}
	}
	if r.rarely(6) {
		pod.NodeSelector = r.labels()
	}
	if r.rarely(8) {
		pod.RestartPolicy = corev1.RestartPolicy(r.of([]string{"Always"}, []string{"Never", "x"}))
	}
	if r.rarely(8) {
		pod.TerminationGracePeriodSeconds = ptr.To(r.Int64N(10) - 1)
	}
	if r.rarely(5) {
		pod.Containers = []corev1.Container{{Name: r.of([]string{"sidecar"}, []string{"main", "", "A"}), Image: r.of([]string{"x"}, []string{"", " "}), Ports: r.ports()}}
	}
	if r.rarely(8) {
		pod.InitContainers = []corev1.Container{{Name: r.of([]string{"before"}, []string{"main", "sidecar"}), Image: "x"}}
	}
	return pod
}

func (r *chance) container(engine string) *corev1.Container {
	main := &corev1.Container{Image: r.of([]string{"registry.example.com/runtime:1"}, []string{"", " x"}), Ports: r.ports(), Env: r.envs(), WorkingDir: r.of([]string{"", "/workspace"}, nil)}
	if engine == "" {
		engine = r.of([]string{"vllm", "sglang", "trtllm"}, nil)
	}
	sizes := []string{"--tensor-parallel-size", r.of([]string{"2", "8", "16"}, []string{"$TP", "0", "x"})}
	switch r.IntN(5) {
	case 0:
	case 1, 2:
		main.Command, main.Args = []string{"python3", "-m", "dynamo." + engine}, append(slices.Clone(sizes), "--json", `{"it's": "$(HOME) \n"}`)
	case 3:
		main.Command, main.Args = []string{"/bin/sh", "-c"}, []string{"export A='b c'; exec python3 -m dynamo." + engine + " --tensor-parallel-size 8 | tee /tmp/log"}
	case 4:
		main.Args = []string{r.of([]string{"--http-port=9000", "-m"}, []string{"./start.sh", "'"}), "dynamo.frontend"}
	}
	if r.rarely(4) {
		main.VolumeMounts = []corev1.VolumeMount{{Name: r.of([]string{"extra", "models", "shared-memory"}, []string{"none"}), MountPath: r.of([]string{"/extra", "/models", "/dev/shm"}, []string{"", "/a:b"})}}
	}
	if r.rarely(5) {
		main.LivenessProbe = r.probe()
	}
	return main
}

func (r *chance) probe() *corev1.Probe {
	probe := &corev1.Probe{PeriodSeconds: r.Int32N(20), FailureThreshold: r.Int32N(5)}
	if !r.rarely(3) {
		probe.HTTPGet = &corev1.HTTPGetAction{Path: "/", Port: intstr.Parse(r.of([]string{"http", "system", "8080"}, []string{"no_port", "0", "70000"}))}
	}
	if r.rarely(10) {
		probe.Exec = &corev1.ExecAction{Command: []string{"true"}}
	}
	if r.rarely(15) {
		probe.TimeoutSeconds, probe.SuccessThreshold = -1, 3
	}
	return probe
}

func (r *chance) ports() (ports []corev1.ContainerPort) {
	for range max(0, r.IntN(4)-1) {
		ports = append(ports, corev1.ContainerPort{Name: r.of([]string{"http", "system", "metrics", ""}, []string{"UPPER", "a-name-that-is-too-long"}), ContainerPort: []int32{8000, 9090, 8080, 9090}[r.IntN(4)] + map[bool]int32{true: 70000}[r.rarely(40)]})
	}
	return ports
}

func (r *chance) envs() (envs []corev1.EnvVar) {
	for range max(0, r.IntN(5)-2) {
		envs = append(envs, corev1.EnvVar{Name: r.of([]string{"A", "B", "DYN_SYSTEM_PORT", "DYN_HTTP_PORT", "a.b"}, []string{"", "1=2", "a b"}), Value: r.of([]string{"8081", "8081", "$(A)"}, []string{"x", "99999"})})
	}
	return envs
}

func (r *chance) labels() map[string]string {
	if !r.rarely(4) {
		return nil
	}
	return map[string]string{r.of([]string{"team", "example.com/team", "nvidia.com/x"}, []string{"", "a b", "/x", "role"}): r.of([]string{"a", "", "b.c"}, []string{"a b", "-"})}
}

func (r *chance) annotations() map[string]string {
	if !r.rarely(4) {
		return nil
	}
	return map[string]string{
		r.of([]string{"example.com/note", "nvidia.com/deployment-strategy", "nvidia.com/deployment-rolling-update-max-surge", "nvidia.com/enable-grove", "nvidia.com/kai-scheduler-queue", "nvidia.com/enable-debug-mode"}, []string{"a b", ""}): r.of([]string{"true", "false", "Recreate", "1", "0", "50%"}, []string{"-1", "two words"}),
	}
}

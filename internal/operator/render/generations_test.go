package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const pairOfWorkers = `
metadata: {name: pair, namespace: team-a}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "r:1"}}}
    decode: {componentType: worker, extraPodSpec: {mainContainer: {image: "r:1", command: [python3, -m, dynamo.vllm]}}}
    prefill: {componentType: prefill, extraPodSpec: {mainContainer: {image: "r:1", command: [python3, -m, dynamo.vllm]}}}
`

func edited(t *testing.T, edit func(*v1alpha1.DynamoGraphDeployment)) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := parseGraph(t, []byte(pairOfWorkers))
	edit(dgd)
	return dgd
}

func unedited(*v1alpha1.DynamoGraphDeployment) {}

// TestWhatMakesAGeneration: the first value must never change, because a change
// would replace the workers of every such graph. It is that of the releases.
func TestWhatMakesAGeneration(t *testing.T) {
	const base = "136611b2"
	if got := WorkerHash(edited(t, unedited), Current); got != base {
		t.Errorf("hash %s, want %s", got, base)
	}
	for name, tc := range map[string]struct {
		edit  func(*v1alpha1.DynamoGraphDeployment)
		other bool
	}{
		"an image": {func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].ExtraPodSpec.MainContainer.Image = "r:2"
		}, true},
		"a graph's variable": {func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Envs = []corev1.EnvVar{{Name: "A", Value: "b"}} }, true},
		"a service's variable": {func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["prefill"].Envs = []corev1.EnvVar{{Name: "A", Value: "b"}}
		}, true},
		"replicas": {func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["decode"].Replicas = ptr.To[int32](5) }, false},
		"an adapter": {func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].ScalingAdapter = &v1alpha1.ScalingAdapter{Enabled: true}
		}, false},
		"a pace": {func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].Annotations = map[string]string{v1alpha1.AnnotationDeploymentStrategy: "Recreate"}
		}, false},
		"a frontend": {func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["Frontend"].ExtraPodSpec.MainContainer.Image = "r:2"
		}, false},
		"a restart": {func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Restart = &v1alpha1.Restart{ID: "x"} }, false},
	} {
		if got := WorkerHash(edited(t, tc.edit), Current); got == "" || (got != base) != tc.other {
			t.Errorf("%s: hash %q, another one: want %v", name, got, tc.other)
		}
	}
}

func TestWorkersWithoutGenerations(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha1.DynamoGraphDeployment){
		"one worker":                   func(d *v1alpha1.DynamoGraphDeployment) { delete(d.Spec.Services, "prefill") },
		"a service that may call them": func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Frontend"].ComponentType = "processor" },
		"the shared logical namespace": func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["decode"].GlobalDynamoNamespace = true },
		"a namespace of the author's": func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Envs = []corev1.EnvVar{{Name: "DYN_NAMESPACE", Value: "x"}}
		},
		"an endpoint of the author's": func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].ExtraPodSpec.MainContainer.Args = []string{"--endpoint", "dyn://a.b.c"}
		},
		"a program that is not known": func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].ExtraPodSpec.MainContainer.Command = []string{"./mine"}
		},
		"a worker with an address": func(d *v1alpha1.DynamoGraphDeployment) {
			d.Spec.Services["decode"].Ingress = &v1alpha1.IngressSpec{Enabled: true, Host: "a"}
		},
		"a name that has no room for it": func(d *v1alpha1.DynamoGraphDeployment) { d.Name = "a123456789-123456789-123456789-123456789-123456" },
	} {
		if got := WorkerHash(edited(t, edit), Current); got != "" {
			t.Errorf("%s: generation %s", name, got)
		}
	}
	if got := WorkerHash(edited(t, unedited), First); got != "" {
		t.Errorf("generation %s in the first version", got)
	}
}

func TestWorkersOfAGenerationAreFoundByFrontendsAlone(t *testing.T) {
	dgd := edited(t, unedited)
	hash := WorkerHash(dgd, Current)
	for _, dcd := range Components(dgd, testConfig(), Current) {
		objects, err := Component(owned(dgd, dcd), testConfig())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, v := range mainContainer(objects.pods().Spec).Env {
			switch v.Name {
			case "DYN_NAMESPACE", workerSuffixEnv, namespacePrefixEnv, strictPrefixEnv:
				got[v.Name] = v.Value
			}
		}
		want, name := map[string]string{"DYN_NAMESPACE": "team-a-pair", workerSuffixEnv: hash}, "pair-"+dcd.Spec.ServiceName+"-"+hash
		if dcd.Spec.ComponentType == v1alpha1.ComponentTypeFrontend {
			want = map[string]string{"DYN_NAMESPACE": "team-a-pair", namespacePrefixEnv: "team-a-pair", strictPrefixEnv: "true"}
			name = "pair-frontend"
		}
		if diff := cmp.Diff(want, got); diff != "" || dcd.Name != name || objects.Service.Name != name {
			t.Errorf("%s, want %s: -want +got:\n%s", dcd.Name, name, diff)
		}
		if label := objects.pods().Labels[v1alpha1.LabelWorkerHash]; IsWorker(&dcd.Spec.DynamoComponentDeploymentSharedSpec) && label != hash {
			t.Errorf("%s: label %q, want %s", dcd.Name, label, hash)
		}
	}
}

func TestShares(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas, nodes    int32
		annotations        map[string]string
		surge, unavailable int32
	}{
		"one":                   {replicas: 1, surge: 1},
		"four":                  {replicas: 4, surge: 1, unavailable: 1},
		"given":                 {replicas: 4, annotations: map[string]string{v1alpha1.AnnotationRollingUpdateMaxSurge: "0", v1alpha1.AnnotationRollingUpdateMaxUnavailable: "2"}, unavailable: 2},
		"both round to nothing": {replicas: 2, annotations: map[string]string{v1alpha1.AnnotationRollingUpdateMaxSurge: "0"}, unavailable: 1},
		"groups":                {replicas: 2, nodes: 2, unavailable: 1},
	} {
		service := &v1alpha1.DynamoComponentDeploymentSharedSpec{Replicas: &tc.replicas, Annotations: tc.annotations}
		if tc.nodes > 0 {
			service.Multinode = &v1alpha1.MultinodeSpec{NodeCount: tc.nodes}
		}
		if surge, unavailable := Shares(service); surge != tc.surge || unavailable != tc.unavailable {
			t.Errorf("%s: %d and %d, want %d and %d", name, surge, unavailable, tc.surge, tc.unavailable)
		}
	}
}

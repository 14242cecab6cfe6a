package conversion

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// rounds are the objects that each fuzz test makes: CONVERSION_ROUNDS, or few enough for every day.
func rounds(t *testing.T) int {
	t.Helper()
	text, set := os.LookupEnv("CONVERSION_ROUNDS")
	if !set {
		return 60
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CONVERSION_ROUNDS: %v", err)
	}
	return n
}

// filler makes objects of which many fields are set, with few words, so that names meet by chance.
func filler(seed int64) *randfill.Filler {
	words := []string{"", "a", "b", "c", "main", "data", "profiler"}
	word := func(c randfill.Continue) string { return words[c.Intn(len(words))] }
	return randfill.NewWithSeed(seed).NilChance(.6).NumElements(1, 3).MaxDepth(14).Funcs(
		func(s *string, c randfill.Continue) { *s = word(c) },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(int64(c.Intn(5)), resource.DecimalSI)
		},
		func(v *intstr.IntOrString, c randfill.Continue) { *v = intstr.FromInt32(int32(c.Intn(9))) },
		func(kind *v1beta1.ComponentType, c randfill.Continue) {
			kinds := []v1beta1.ComponentType{"", "frontend", "worker", "prefill", "decode", "planner", "epp"}
			*kind = kinds[c.Intn(len(kinds))]
		},
		func(strategy *v1beta1.SearchStrategy, c randfill.Continue) {
			*strategy = []v1beta1.SearchStrategy{"rapid", "thorough"}[c.Intn(2)]
		},
		func(kind *v1beta1.OptimizationType, c randfill.Continue) {
			*kind = []v1beta1.OptimizationType{"latency", "throughput"}[c.Intn(2)]
		},
		func(sku *v1beta1.GPUSKUType, c randfill.Continue) { *sku = v1beta1.GPUSKUType(skus[c.Intn(len(skus))]) },
		func(backend *v1beta1.BackendType, c randfill.Continue) {
			*backend = []v1beta1.BackendType{"auto", "vllm", "sglang"}[c.Intn(3)]
		},
		func(phase *v1beta1.DGDRPhase, c randfill.Continue) {
			*phase = []v1beta1.DGDRPhase{"", "Profiling", "Ready", "Deploying", "Deployed", "Failed"}[c.Intn(6)]
		},
		func(state *v1alpha1.RequestState, c randfill.Continue) {
			*state = []v1alpha1.RequestState{"", "Profiling", "Ready", "Deploying", "DeploymentDeleted", "Failed"}[c.Intn(6)]
		},
		func(v *metav1.TypeMeta, _ randfill.Continue) { *v = metav1.TypeMeta{} },
		func(m *metav1.ObjectMeta, c randfill.Continue) {
			*m = metav1.ObjectMeta{Name: "a" + word(c), Labels: map[string]string{"l": word(c)}}
		},
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(int64(c.Intn(1<<30)), 0) },
		func(r *runtime.RawExtension, c randfill.Continue) {
			r.Raw = []byte(fmt.Sprintf(`{%q:%d}`, "x"+word(c), c.Intn(9)))
		},
		func(r *apiextensionsv1.JSON, c randfill.Continue) { r.Raw = []byte(fmt.Sprintf(`{"x":%d}`, c.Intn(9))) },
		func(r *v1alpha1.EndpointPickerConfig, c randfill.Continue) {
			r.Raw = []byte(fmt.Sprintf(`{"x":%d}`, c.Intn(9)))
		},
		func(r *v1alpha1.ResourceItem, c randfill.Continue) {
			amounts := []string{"", "", "1", "2", "1000m", "none"}
			amount := func() string { return amounts[c.Intn(len(amounts))] }
			r.CPU, r.Memory, r.GPU, r.GPUType = amount(), amount(), amount(), []string{"", "", "a/b"}[c.Intn(3)]
			if c.Bool() {
				r.Custom = map[string]string{"a/b": amount(), "cpu": amount()}
			}
		},
		func(r *v1alpha1.ProfilingConfig, c randfill.Continue) {
			c.FillNoCustom(r)
			configs := []string{
				`{}`, `{"sla":{}}`, `{"sla":{"ttft":200,"itl":"fast","isl":3000,"x":1}}`, `{"sla":"none","planner":{"a":1}}`,
				`{"deployment":{"modelCache":{"pvcName":"c","modelPathInPvc":7}},"hardware":{"num_gpus_per_node":8,"gpu_model":"H200"}}`,
				`{"searchStrategy":"rapid","sweep":{"a":[1,2.5]}}`, `{"searchStrategy":"thorough","sla":{"optimizationType":"cost","osl":1.0}}`,
			}
			r.Config = &runtime.RawExtension{Raw: []byte(configs[c.Intn(len(configs))])}
		},
		func(b *v1beta1.DynamoGraphDeploymentSpec, c randfill.Continue) {
			c.FillNoCustom(b)
			seen := map[string]bool{}
			var components []betaSpec
			for i, component := range b.Components {
				component.Name += strconv.Itoa(9 - i)
				if !seen[component.Name] {
					components = append(components, component)
				}
				seen[component.Name] = true
			}
			b.Components = components
		},
		func(a *v1alpha1.DynamoGraphDeploymentSpec, c randfill.Continue) {
			c.FillNoCustom(a)
			maps.DeleteFunc(a.Services, func(_ string, s *alphaSpec) bool { return s == nil })
		},
		func(b *v1beta1.DynamoComponentDeploymentSpec, c randfill.Continue) {
			c.FillNoCustom(b)
			b.Name += "x"
		},
		func(p *corev1.PodSpec, c randfill.Continue) {
			// As much as counts here: the rest is copied as one.
			*p = corev1.PodSpec{NodeName: word(c), PriorityClassName: word(c)}
			c.Fill(&p.Containers)
			c.Fill(&p.Volumes)
			if c.Bool() {
				p.Containers = append(p.Containers, corev1.Container{Name: "main"})
			}
		},
		func(v *corev1.Volume, c randfill.Continue) {
			*v = claimVolume(word(c))
			if c.Intn(3) == 0 {
				v.PersistentVolumeClaim.ReadOnly = true
			}
		},
		func(v *corev1.EnvFromSource, c randfill.Continue) {
			*v = secretSource(word(c))
			if c.Intn(3) == 0 {
				v.SecretRef.Optional = new(bool)
			}
		},
		func(m *corev1.VolumeMount, c randfill.Continue) {
			*m = corev1.VolumeMount{Name: word(c), MountPath: word(c)}
			if c.Intn(4) == 0 {
				m.ReadOnly = true
			}
		},
		func(m *v1alpha1.VolumeMount, c randfill.Continue) {
			*m = v1alpha1.VolumeMount{Name: word(c), MountPoint: word(c), UseAsCompilationCache: c.Bool()}
		},
		func(l *corev1.ResourceList, c randfill.Continue) {
			*l = nil
			for _, name := range []corev1.ResourceName{"cpu", "nvidia.com/gpu", "a/b"} {
				if c.Bool() {
					if *l == nil {
						*l = corev1.ResourceList{}
					}
					(*l)[name] = *resource.NewQuantity(int64(c.Intn(3)), resource.DecimalSI)
				}
			}
		},
	)
}

// throughJSON is what of an object others can see.
func throughJSON[T any](t *testing.T, from *T) *T {
	t.Helper()
	data, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	to := new(T)
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
	return to
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	// The order of the keys in free JSON says nothing, nor does 1.0 for 1.
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	if data, err = json.MarshalIndent(plain, "", " "); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// back and forth: an object comes back as it was, without an annotation of ours, and its source is not changed.
func roundTrip[From, To any](t *testing.T, there func(*From) *To, back func(*To) *From) {
	t.Helper()
	for i := range rounds(t) {
		from := new(From)
		filler(int64(i)).Fill(from)
		from = throughJSON(t, from)
		before := asJSON(t, from)
		converted := throughJSON(t, there(from))
		if asJSON(t, from) != before {
			t.Fatalf("seed %d: the conversion changed its source", i)
		}
		again := asJSON(t, back(converted))
		if diff := cmp.Diff(before, again); diff != "" {
			t.Fatalf("seed %d: -before +after:\n%s", i, diff)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	t.Run("graph of v1alpha1", func(t *testing.T) { t.Parallel(); roundTrip(t, GraphToBeta, GraphToAlpha) })
	t.Run("graph of v1beta1", func(t *testing.T) { t.Parallel(); roundTrip(t, GraphToAlpha, GraphToBeta) })
	t.Run("component of v1alpha1", func(t *testing.T) { t.Parallel(); roundTrip(t, ComponentToBeta, ComponentToAlpha) })
	t.Run("component of v1beta1", func(t *testing.T) { t.Parallel(); roundTrip(t, ComponentToAlpha, ComponentToBeta) })
	t.Run("adapter of v1alpha1", func(t *testing.T) { t.Parallel(); roundTrip(t, AdapterToBeta, AdapterToAlpha) })
	t.Run("adapter of v1beta1", func(t *testing.T) { t.Parallel(); roundTrip(t, AdapterToAlpha, AdapterToBeta) })
	t.Run("request of v1alpha1", func(t *testing.T) { t.Parallel(); roundTrip(t, RequestToBeta, RequestToAlpha) })
	t.Run("request of v1beta1", func(t *testing.T) { t.Parallel(); roundTrip(t, RequestToAlpha, RequestToBeta) })
}

// edited gives one field of an object another value, and says which.
func edited[T any](from, donor *T, seed int64) (*T, string) {
	to := reflect.ValueOf(from).Elem()
	source := reflect.ValueOf(donor).Elem()
	var paths []string
	step := seed
	for _, part := range []string{"Spec", "Status"}[seed%2 : seed%2+1] {
		to, source, paths = to.FieldByName(part), source.FieldByName(part), append(paths, part)
	}
	for depth := 0; depth < 5; depth++ {
		step = step*6364136223846793005 + 1442695040888963407
		pick := int(uint64(step)>>33) % 97
		switch to.Kind() {
		case reflect.Struct:
			if to.NumField() == 0 || strings.HasPrefix(to.Type().PkgPath(), "k8s.io/apimachinery") {
				to.Set(source)
				return from, strings.Join(paths, ".")
			}
			i := pick % to.NumField()
			if !to.Type().Field(i).IsExported() {
				return from, strings.Join(paths, ".")
			}
			paths = append(paths, to.Type().Field(i).Name)
			to, source = to.Field(i), source.Field(i)
			continue
		case reflect.Pointer:
			if !to.IsNil() && !source.IsNil() && pick%3 > 0 {
				to, source = to.Elem(), source.Elem()
				continue
			}
		case reflect.Slice:
			if to.Len() > 0 && source.Len() > 0 && to.Type().Elem().Kind() == reflect.Struct && pick%3 > 0 {
				to, source = to.Index(pick%to.Len()), source.Index(pick%source.Len())
				continue
			}
		}
		break
	}
	to.Set(source)
	return from, strings.Join(paths, ".")
}

// mutation: what an edit in the other version says is there afterwards, and the way back is exact again.
func mutation[From, To any](t *testing.T, there func(*From) *To, back func(*To) *From) {
	t.Helper()
	for i := range rounds(t) {
		from, donor := new(From), new(To)
		filler(int64(i)).Fill(from)
		filler(int64(i) + 1<<32).Fill(donor)
		converted, path := edited(throughJSON(t, there(throughJSON(t, from))), throughJSON(t, donor), int64(i))
		converted = throughJSON(t, converted)
		if i%2 == 0 {
			keepNames(converted)
		}
		want := asJSON(t, converted)
		stored := throughJSON(t, back(converted))
		if diff := cmp.Diff(want, asJSON(t, withAnnotationsOf(there(stored), converted))); diff != "" {
			t.Fatalf("seed %d, edit of %s: -written +read:\n%s", i, path, diff)
		}
		again := asJSON(t, back(throughJSON(t, there(stored))))
		if diff := cmp.Diff(asJSON(t, stored), again); diff != "" {
			t.Fatalf("seed %d, edit of %s: what is stored changes by being read and written: -stored +again:\n%s", i, path, diff)
		}
	}
}

// keepNames gives every item of a list with keys a key of its own, as the API server demands.
func keepNames(object any) {
	graph, is := object.(*v1beta1.DynamoGraphDeployment)
	if !is {
		return
	}
	for i := range graph.Spec.Components {
		graph.Spec.Components[i].Name = "c" + strconv.Itoa(i)
	}
}

// withAnnotationsOf replaces the metadata: which annotations of ours are there may differ.
func withAnnotationsOf[T any](object, other *T) *T {
	reflect.ValueOf(object).Elem().FieldByName("ObjectMeta").Set(reflect.ValueOf(other).Elem().FieldByName("ObjectMeta"))
	return object
}

func TestEditsInTheOtherVersion(t *testing.T) {
	t.Run("graph in v1beta1", func(t *testing.T) { t.Parallel(); mutation(t, GraphToBeta, GraphToAlpha) })
	t.Run("graph in v1alpha1", func(t *testing.T) { t.Parallel(); mutation(t, GraphToAlpha, GraphToBeta) })
	t.Run("component in v1beta1", func(t *testing.T) { t.Parallel(); mutation(t, ComponentToBeta, ComponentToAlpha) })
	t.Run("component in v1alpha1", func(t *testing.T) { t.Parallel(); mutation(t, ComponentToAlpha, ComponentToBeta) })
	t.Run("adapter in v1beta1", func(t *testing.T) { t.Parallel(); mutation(t, AdapterToBeta, AdapterToAlpha) })
	t.Run("adapter in v1alpha1", func(t *testing.T) { t.Parallel(); mutation(t, AdapterToAlpha, AdapterToBeta) })
	t.Run("request in v1beta1", func(t *testing.T) { t.Parallel(); mutation(t, RequestToBeta, RequestToAlpha) })
	t.Run("request in v1alpha1", func(t *testing.T) { t.Parallel(); mutation(t, RequestToAlpha, RequestToBeta) })
}

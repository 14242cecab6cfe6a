package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	baseModel = "Qwen/Qwen3-0.6B"
	loraModel = `{metadata: {name: m}, spec: {modelName: "me/my lora", baseModelName: "Qwen/Qwen3-0.6B", modelType: lora, source: {uri: "hf://me/lora"}}}`
)

// site is what runs in the pods of a graph: a frontend, and workers that load
// adapters as the runtime does. It can be told to misbehave.
type site struct {
	mu sync.Mutex
	// has is, by worker, the adapters and from where.
	has map[string]map[string]string
	// refuses is the answer to loads; 0: they succeed. hides: loads are not seen by
	// the frontend until they are done anew.
	refuses int
	hides   bool
	// download, if it is not nil, is waited for by every load.
	download chan struct{}
	// loads and unloads count calls.
	loads, unloads int
}

var sites atomic.Int32

// run starts a graph of a frontend and so many workers whose pods answer.
func (s *site) run(t *testing.T, ns string, workers int32) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	s.has = map[string]map[string]string{}
	dgd := parse[v1alpha1.DynamoGraphDeployment](t, ns, chat)
	worker := dgd.Spec.Services["Worker"]
	worker.Replicas, worker.ModelRef = ptr.To(workers), &v1alpha1.ModelReference{Name: baseModel}
	create(t, dgd)
	number := sites.Add(1)
	s.serve(t, ns, "chat-frontend", number, 1, 8000)
	s.serve(t, ns, "chat-worker", number, int(workers), 9090)
	return dgd
}

// serve gives each pod of a component an address of this machine, and answers
// there.
func (s *site) serve(t *testing.T, ns, component string, number int32, count, port int) {
	t.Helper()
	served := map[string]bool{}
	cluster.Eventually(t, "pods of "+component, func() error {
		found := pods(t, ns, component)
		for _, pod := range found {
			if served[pod.Name] {
				continue
			}
			ip := fmt.Sprintf("127.%d.%d.%d", port/1000, number, len(served)+1)
			pod.Status = *running.DeepCopy()
			pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
			if err := adminClient(t).Status().Update(context.Background(), &pod); err != nil {
				return err
			}
			served[pod.Name] = true
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, fmt.Sprint(port)))
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: s.handler(pod.Name)}
			t.Cleanup(func() { _ = server.Close() })
			go func() { _ = server.Serve(listener) }()
		}
		if len(served) < count {
			return fmt.Errorf("%d of %d", len(served), count)
		}
		return nil
	})
}

func (s *site) handler(pod string) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		models := []map[string]string{{"id": baseModel}}
		for _, name := range s.seen() {
			models = append(models, map[string]string{"id": name})
		}
		answer(w, map[string]any{"data": models})
	})
	mux.HandleFunc("GET /v1/loras", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		ids := map[string]int{}
		for name := range s.has[pod] {
			ids[name] = 1
		}
		answer(w, map[string]any{"loras": ids})
	})
	mux.HandleFunc("POST /v1/loras", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Name   string `json:"lora_name"`
			Source struct{ URI string }
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		s.mu.Lock()
		s.loads++
		download := s.download
		s.mu.Unlock()
		if download != nil {
			<-download
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.refuses != 0 {
			http.Error(w, "no such weights", s.refuses)
			return
		}
		if s.has[pod] == nil {
			s.has[pod] = map[string]string{}
		}
		s.has[pod][body.Name] = body.Source.URI
	})
	mux.HandleFunc("DELETE /v1/loras/{name}", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unloads++
		if _, has := s.has[pod][r.PathValue("name")]; !has {
			http.Error(w, "not loaded", http.StatusNotFound)
			return
		}
		delete(s.has[pod], r.PathValue("name"))
		s.hides = false
	})
	return mux
}

// seen are the adapters that a frontend knows of.
func (s *site) seen() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hides {
		return nil
	}
	for _, has := range s.has {
		names = slices.AppendSeq(names, maps.Keys(has))
	}
	return names
}

// tell changes how the site behaves.
func (s *site) tell(change func(*site)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// everywhere are the adapters of all workers, with their sources.
func (s *site) everywhere() (text string) {
	s.tell(func(s *site) { text = fmt.Sprint(slices.Sorted(maps.Keys(s.has)), s.has) })
	return text
}

func modelSays(t *testing.T, ns, name string, status metav1.ConditionStatus, reason, message string) *v1alpha1.DynamoModel {
	t.Helper()
	model := &v1alpha1.DynamoModel{}
	cluster.Eventually(t, reason+" "+message, func() error {
		get(t, ns, name, model)
		ready := meta.FindStatusCondition(model.Status.Conditions, v1alpha1.ConditionEndpointsReady)
		if ready == nil || ready.Status != status || ready.Reason != reason || !strings.Contains(ready.Message, message) {
			return fmt.Errorf("%+v", model.Status)
		}
		return nil
	})
	return model
}

func TestAnAdapterIsLoadedByAllWorkersAndCountsWhenFrontendsListIt(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	s := &site{}
	dgd := s.run(t, ns, 2)
	model := parse[v1alpha1.DynamoModel](t, ns, loraModel)
	create(t, model)
	seen := modelSays(t, ns, "m", metav1.ConditionTrue, "AllEndpointsReady", "2/2")
	if seen.Status.ReadyEndpoints != 2 || seen.Status.TotalEndpoints != 2 || len(seen.Status.Endpoints) != 2 || !seen.Status.Endpoints[0].Ready {
		t.Errorf("%+v", seen.Status)
	}
	if !meta.IsStatusConditionTrue(seen.Status.Conditions, v1alpha1.ConditionServicesFound) || !meta.IsStatusConditionTrue(seen.Status.Conditions, v1alpha1.ConditionValid) {
		t.Errorf("%+v", seen.Status.Conditions)
	}

	// Another worker gets it before it counts.
	s.tell(func(s *site) { s.refuses = http.StatusServiceUnavailable })
	change(t, dgd, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Services["Worker"].Replicas = ptr.To[int32](3) })
	s.serve(t, ns, "chat-worker", sites.Add(1), 3, 9090)
	if m := modelSays(t, ns, "m", metav1.ConditionFalse, "NotReady", "no such weights"); m.Status.ReadyEndpoints != 2 || m.Status.TotalEndpoints != 3 {
		t.Errorf("%+v", m.Status)
	}
	s.tell(func(s *site) { s.refuses = 0 })
	modelSays(t, ns, "m", metav1.ConditionTrue, "AllEndpointsReady", "3/3")

	// A worker that was restarted in its pod has forgotten it; the watch on pods
	// tells of the restart.
	s.tell(func(s *site) { clear(s.has) })
	for _, pod := range pods(t, ns, "chat-worker") {
		pod.Status.Message = "restarted"
		if err := adminClient(t).Status().Update(context.Background(), &pod); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Eventually(t, "all workers have it again", func() error {
		if text := s.everywhere(); strings.Count(text, "me/my lora:hf://me/lora") != 3 {
			return fmt.Errorf("%s", text)
		}
		return nil
	})

	// Another name and source take the place of the former.
	get(t, ns, "m", model)
	change(t, model, func(m *v1alpha1.DynamoModel) { m.Spec.ModelName, m.Spec.Source.URI = "me/second", "s3://b/second" })
	cluster.Eventually(t, "the second adapter alone", func() error {
		if text := s.everywhere(); strings.Count(text, "me/second:s3://b/second") != 3 || strings.Contains(text, "my lora") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
	modelSays(t, ns, "m", metav1.ConditionTrue, "AllEndpointsReady", "3/3 serve me/second")

	// Deleted, it leaves the workers.
	if err := adminClient(t).Delete(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	gone(t, ns, "m", model)
	if text := s.everywhere(); strings.Contains(text, "second") {
		t.Errorf("after the deletion: %s", text)
	}
}

// What is loaded and not listed is of no use, and mends itself.
func TestAnAdapterThatNoFrontendListsIsLoadedAnew(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	s := &site{hides: true}
	s.run(t, ns, 1)
	create(t, parse[v1alpha1.DynamoModel](t, ns, loraModel))
	modelSays(t, ns, "m", metav1.ConditionFalse, "NotReady", "does not list it")
	modelSays(t, ns, "m", metav1.ConditionTrue, "AllEndpointsReady", "1/1")
	s.tell(func(s *site) {
		if s.unloads == 0 || s.loads < 2 {
			t.Errorf("%d loads, %d unloads: who mended it?", s.loads, s.unloads)
		}
	})
}

// A download that ends after its model has gone leaves nothing behind.
func TestALateLoadIsUndone(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	s := &site{download: make(chan struct{})}
	s.run(t, ns, 1)
	model := parse[v1alpha1.DynamoModel](t, ns, loraModel)
	create(t, model)
	modelSays(t, ns, "m", metav1.ConditionFalse, "NotReady", "loads it")
	if err := adminClient(t).Delete(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	gone(t, ns, "m", model)
	close(s.download)
	cluster.Eventually(t, "the adapter came and went", func() error {
		loads, unloads, text := 0, 0, s.everywhere()
		s.tell(func(s *site) { loads, unloads = s.loads, s.unloads })
		// The first unloading is that of the deletion, when nothing was there.
		if unloads < 2 || strings.Contains(text, "my lora") {
			return fmt.Errorf("%d loads, %d unloads, %s", loads, unloads, text)
		}
		return nil
	})
}

func TestModelsSayWhatTheyLack(t *testing.T) {
	ns := namespace(t)
	start(t, within(ns))
	create(t, parse[v1alpha1.DynamoModel](t, ns, `{metadata: {name: base}, spec: {modelName: a, baseModelName: "Qwen/Qwen3-0.6B"}}`))
	modelSays(t, ns, "base", metav1.ConditionFalse, "NoEndpoints", "No pod runs "+baseModel)
	s := &site{}
	s.run(t, ns, 1)
	if m := modelSays(t, ns, "base", metav1.ConditionTrue, "EndpointsDiscovered", "1 pod"); m.Status.ReadyEndpoints != 1 || len(m.Finalizers) > 0 {
		t.Errorf("%+v %v", m.Status, m.Finalizers)
	}

	create(t, parse[v1alpha1.DynamoModel](t, ns, loraModel))
	modelSays(t, ns, "m", metav1.ConditionTrue, "AllEndpointsReady", "1/1")
	second := parse[v1alpha1.DynamoModel](t, ns, strings.Replace(loraModel, "name: m}", "name: twin}", 1))
	create(t, second)
	modelSays(t, ns, "twin", metav1.ConditionFalse, "NameTaken", "DynamoModel m loads me/my lora already")
	warned(t, second, "NameTaken", "DynamoModel m")

	// Workers that are away stop nobody from deleting a model for long.
	for _, component := range []string{"chat-worker", "chat-frontend"} {
		for _, pod := range pods(t, ns, component) {
			if err := adminClient(t).Delete(context.Background(), &pod, client.GracePeriodSeconds(0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	model := &v1alpha1.DynamoModel{}
	get(t, ns, "m", model)
	if err := adminClient(t).Delete(context.Background(), model); err != nil {
		t.Fatal(err)
	}
	gone(t, ns, "m", model)
}

package serving

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// graph is a graph without a cluster: workers write their metadata here, and a
// frontend reads them as if every pod were ready.
type graph struct {
	mu      sync.Mutex
	workers map[string]discovery.Data
	unready map[string]bool
	addr    map[string]string
	refuse  error
}

func newGraph() *graph {
	return &graph{workers: map[string]discovery.Data{}, unready: map[string]bool{}, addr: map[string]string{}}
}

func (g *graph) Ready() error { return g.refuse }

func (g *graph) View() *discovery.View {
	g.mu.Lock()
	defer g.mu.Unlock()
	slice := &discoveryv1.EndpointSlice{}
	var workers []discovery.Worker
	for pod, data := range g.workers {
		ready := !g.unready[pod]
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{g.addr[pod]},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod},
		})
		workers = append(workers, discovery.Worker{Pod: pod, Data: data})
	}
	return discovery.Resolve([]*discoveryv1.EndpointSlice{slice}, workers, discovery.Scope{Namespace: "ns-g", Prefix: true, Strict: true})
}

// seat is one worker's access to the graph.
type seat struct {
	*graph
	pod string
}

func (s seat) Register(_ context.Context, data discovery.Data) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.workers[s.pod] = data
	return nil
}

func (s seat) Unregister(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.workers, s.pod)
	return nil
}

// addWorker starts a worker that has joined the graph.
func (g *graph) addWorker(t *testing.T, pod string, args ...string) *Worker {
	t.Helper()
	return g.addWorkerOf(t, "", pod, args...)
}

// addWorkerOf does so with one of a generation.
func (g *graph) addWorkerOf(t *testing.T, generation, pod string, args ...string) *Worker {
	t.Helper()
	config, err := ParsePython(append([]string{"-m", "dynamo.vllm"}, args...), func(name string) string {
		return map[string]string{
			"DYN_NAMESPACE": "ns-g", "DYN_NAMESPACE_WORKER_SUFFIX": generation,
			"DYN_LORA_ENABLED": "true", "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": `["generate"]`,
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorker(config, pod, seat{g, pod})
	server := httptest.NewServer(w.RPCHandler())
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.addr[pod] = u.Hostname()
	if err := errors.Join(w.Load(t.Context()), w.Join(t.Context(), server.Listener.Addr().(*net.TCPAddr).Port)); err != nil {
		t.Fatal(err)
	}
	return w
}

// response is what a test looks at.
type response struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func call(t *testing.T, h http.Handler, method, path, body string) response {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	r := response{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &r.json)
	return r
}

func chat(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, model, text)
}

func modelIDs(t *testing.T, h http.Handler) []string {
	t.Helper()
	var list struct {
		Data []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(call(t, h, "GET", "/v1/models", "").body), &list); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	return ids
}

func content(t *testing.T, r response) string {
	t.Helper()
	var whole struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal([]byte(r.body), &whole); err != nil || len(whole.Choices) != 1 {
		t.Fatalf("not a chat completion: %d %s", r.status, r.body)
	}
	return whole.Choices[0].Message.Content
}

func TestChatNamesTheWorker(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "pod-a", "--model", "m")
	f := NewFrontend("round-robin", g).Handler()

	r := call(t, f, "POST", "/v1/chat/completions", chat("m", "hello there"))
	if r.status != 200 || r.header.Get("x-dynamo-worker") != "pod-a" || !strings.Contains(content(t, r), "answered by pod-a") {
		t.Errorf("got %d %v %s", r.status, r.header, r.body)
	}
	if r.json["object"] != "chat.completion" || r.json["model"] != "m" {
		t.Errorf("not OpenAI's shape: %s", r.body)
	}
	r = call(t, f, "POST", "/v1/completions", `{"model":"m","prompt":["one","two"]}`)
	if r.status != 200 || r.json["object"] != "text_completion" || !strings.Contains(r.body, "answered by pod-a") {
		t.Errorf("completions: got %d %s", r.status, r.body)
	}
	parts := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url"}]}]}`
	if r = call(t, f, "POST", "/v1/chat/completions", parts); r.status != 200 {
		t.Errorf("content parts: got %d %s", r.status, r.body)
	}
}

func TestStreamEndsWithDone(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "pod-a", "--model", "m")
	f := NewFrontend("round-robin", g).Handler()
	for path, request := range map[string]string{
		"/v1/chat/completions": `{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}`,
		"/v1/completions":      `{"model":"m","stream":true,"prompt":"x"}`,
	} {
		r := call(t, f, "POST", path, request)
		if r.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: content type %q", path, r.header.Get("Content-Type"))
		}
		var text strings.Builder
		last := ""
		for lines := bufio.NewScanner(strings.NewReader(r.body)); lines.Scan(); {
			data, isData := strings.CutPrefix(lines.Text(), "data: ")
			if !isData {
				continue
			}
			last = data
			var event struct {
				Choices []struct {
					Text  string
					Delta struct{ Content string }
				}
			}
			if json.Unmarshal([]byte(data), &event) == nil && len(event.Choices) == 1 {
				text.WriteString(event.Choices[0].Text + event.Choices[0].Delta.Content)
			}
		}
		if last != "[DONE]" || !strings.HasSuffix(text.String(), "answered by pod-a") {
			t.Errorf("%s: text %q, last event %q", path, text.String(), last)
		}
	}
}

func TestRoundRobinReachesEveryWorker(t *testing.T) {
	g := newGraph()
	for _, pod := range []string{"a", "b", "c"} {
		g.addWorker(t, pod, "--model", "m")
	}
	f := NewFrontend("round-robin", g).Handler()
	var got []string
	for range 6 {
		got = append(got, call(t, f, "POST", "/v1/chat/completions", chat("m", "same")).header.Get("x-dynamo-worker"))
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a", "b", "c"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestKVRoutingSticksToAPrefix(t *testing.T) {
	g := newGraph()
	for _, pod := range []string{"a", "b", "c"} {
		g.addWorker(t, pod, "--model", "m")
	}
	f := NewFrontend("kv", g).Handler()
	ask := func(text string) string {
		return call(t, f, "POST", "/v1/chat/completions", chat("m", text)).header.Get("x-dynamo-worker")
	}
	used := map[string]bool{}
	for i := range 20 {
		prefix := fmt.Sprintf("conversation %d begins with a sentence that is longer than a block of tokens", i)
		first := ask(prefix)
		used[first] = true
		if again := ask(prefix + " and goes on"); again != first {
			t.Errorf("conversation %d went from %s to %s", i, first, again)
		}
	}
	if len(used) < 2 {
		t.Errorf("20 conversations used only %v", used)
	}
}

// TestARequestStaysWithinAGeneration, whatever there is of others, and says which.
func TestARequestStaysWithinAGeneration(t *testing.T) {
	g := newGraph()
	f := NewFrontend("round-robin", g).Handler()
	for _, generation := range []string{"aaaaaaaa", "bbbbbbbb"} {
		g.addWorkerOf(t, generation, "decode-"+generation, "--model", "m")
		g.addWorkerOf(t, generation, "prefill-"+generation, "--model", "m", "--is-prefill-worker")
	}
	g.addWorkerOf(t, "cccccccc", "prefill-cccccccc", "--model", "m", "--is-prefill-worker")
	answered := map[string]int{}
	for range 10 {
		r := call(t, f, "POST", "/v1/chat/completions", chat("m", "x"))
		decode, prefill := r.header.Get("x-standin-generation"), r.header.Get("x-standin-prefill-generation")
		if r.status != 200 || decode != prefill {
			t.Fatalf("got %d %s, decode %q, prefill %q", r.status, r.body, decode, prefill)
		}
		answered[decode]++
	}
	if want := map[string]int{"ns-g-aaaaaaaa": 5, "ns-g-bbbbbbbb": 5}; !maps.Equal(answered, want) {
		t.Errorf("answered by %v, want %v", answered, want)
	}
}

func TestDisaggregatedAnswerNamesBoth(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "decode-0", "--model", "m", "--is-decode-worker")
	prefill := g.addWorker(t, "prefill-0", "--model", "m", "--is-prefill-worker")
	f := NewFrontend("round-robin", g).Handler()
	r := call(t, f, "POST", "/v1/chat/completions", chat("m", "x"))
	if r.header.Get("x-dynamo-worker") != "decode-0" || r.header.Get("x-dynamo-prefill-worker") != "prefill-0" ||
		!strings.Contains(content(t, r), "prefilled by prefill-0, answered by decode-0") {
		t.Errorf("got %v %s", r.header, r.body)
	}
	if err := prefill.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r = call(t, f, "POST", "/v1/chat/completions", chat("m", "x")); r.status != 200 || strings.Contains(r.body, "prefilled by") {
		t.Errorf("without prefill workers: got %d %s", r.status, r.body)
	}
}

func TestAWorkerThatIsGoneIsPassedOver(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "alive", "--model", "m")
	gone := g.addWorker(t, "gone", "--model", "m")
	closed := httptest.NewServer(nil)
	closed.Close()
	if err := gone.Join(t.Context(), closed.Listener.Addr().(*net.TCPAddr).Port); err != nil {
		t.Fatal(err)
	}
	f := NewFrontend("round-robin", g).Handler()
	for range 4 {
		if r := call(t, f, "POST", "/v1/chat/completions", chat("m", "x")); r.status != 200 || r.header.Get("x-dynamo-worker") != "alive" {
			t.Errorf("got %d %s", r.status, r.body)
		}
	}
}

// In mode direct somebody else has chosen, and a request goes nowhere else.
func TestDirectRequestsGoToTheWorkersThatTheyName(t *testing.T) {
	g := newGraph()
	for _, pod := range []string{"a", "b", "c"} {
		g.addWorker(t, pod, "--model", "m")
	}
	for _, pod := range []string{"p", "q"} {
		g.addWorker(t, pod, "--model", "m", "--is-prefill-worker")
	}
	f := NewFrontend("direct", g).Handler()
	ask := func(headers ...string) response {
		rec := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/chat/completions", strings.NewReader(chat("m", "x")))
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], fmt.Sprint(discovery.InstanceID(headers[i+1])))
		}
		f.ServeHTTP(rec, request)
		return response{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	}
	for range 3 {
		if r := ask(workerHeader, "b"); r.status != 200 || r.header.Get("x-dynamo-worker") != "b" || r.header.Get("x-dynamo-prefill-worker") != "" {
			t.Errorf("worker b: got %d %v %s", r.status, r.header, r.body)
		}
	}
	if r := ask(workerHeader, "c", prefillHeader, "q"); r.header.Get("x-dynamo-worker") != "c" || r.header.Get("x-dynamo-prefill-worker") != "q" {
		t.Errorf("workers c and q: got %d %v %s", r.status, r.header, r.body)
	}
	if r := ask(); r.status != 400 || !strings.Contains(r.body, workerHeader) {
		t.Errorf("no worker: got %d %s", r.status, r.body)
	}
	if r := ask(workerHeader, "gone"); r.status != 503 {
		t.Errorf("a worker that is gone: got %d %s", r.status, r.body)
	}
}

func TestErrorsAreOpenAIShaped(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "a", "--model", "m")
	g.addWorker(t, "b", "--model", "asleep")
	g.unready["b"] = true
	g.addWorker(t, "p", "--model", "half", "--is-prefill-worker")
	f := NewFrontend("round-robin", g).Handler()
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		says   string
	}{
		"unknown model":      {chat("nope", "x"), 404, "model_not_found", "models served: m"},
		"no JSON":            {`{"model"`, 400, "invalid_request", "JSON"},
		"wrong type":         {`{"model":"m","messages":"x"}`, 400, "invalid_request", "messages"},
		"no model":           {`{"messages":[{"role":"user","content":"x"}]}`, 400, "invalid_request", "model"},
		"no messages":        {`{"model":"m"}`, 400, "invalid_request", "messages"},
		"no ready worker":    {chat("asleep", "x"), 503, "service_unavailable", "none of its workers is ready"},
		"only prefill works": {chat("half", "x"), 503, "service_unavailable", "none of its workers is ready"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, f, "POST", "/v1/chat/completions", c.body)
			e, _ := r.json["error"].(map[string]any)
			if r.status != c.status || e["code"] != c.code || !strings.Contains(fmt.Sprint(e["message"]), c.says) {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
	if got := modelIDs(t, f); !slices.Equal(got, []string{"m"}) {
		t.Errorf("models served: %v", got)
	}
}

func TestFrontendHealth(t *testing.T) {
	g := newGraph()
	f := NewFrontend("round-robin", g).Handler()
	if r := call(t, f, "GET", "/health", ""); r.status != 200 || r.json["status"] != "healthy" {
		t.Errorf("without workers: got %d %s", r.status, r.body)
	}
	g.addWorker(t, "a", "--model", "m")
	r := call(t, f, "GET", "/health", "")
	if fmt.Sprint(r.json["endpoints"]) != "[dyn://ns-g.backend.generate]" || len(r.json["instances"].([]any)) != 1 {
		t.Errorf("with a worker: %s", r.body)
	}
	g.refuse = errors.New("no access to EndpointSlices")
	if r := call(t, f, "GET", "/health", ""); r.status != 503 || !strings.Contains(r.body, "no access") {
		t.Errorf("without discovery: got %d %s", r.status, r.body)
	}
	if r := call(t, f, "GET", "/live", ""); r.status != 200 {
		t.Errorf("live: got %d", r.status)
	}
	if r := call(t, f, "POST", "/v1/chat/completions", chat("m", "x")); r.status != 503 {
		t.Errorf("chat without discovery: got %d", r.status)
	}
}

func TestFrontendMetricsCountRequests(t *testing.T) {
	g := newGraph()
	g.addWorker(t, "a", "--model", "m")
	f := NewFrontend("round-robin", g).Handler()
	call(t, f, "POST", "/v1/chat/completions", chat("m", "x"))
	call(t, f, "POST", "/v1/chat/completions", chat("made-up-name", "x"))
	metrics := call(t, f, "GET", "/metrics", "").body
	for _, want := range []string{
		`dynamo_frontend_requests_total{endpoint="chat_completions",model="m",request_type="unary",status="success"} 1`,
		`dynamo_frontend_inflight_requests{model="m"} 0`,
		`status="error"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(metrics, "made-up-name") {
		t.Error("a client's text became a label")
	}
}

func TestWorkerHealthFollowsItsEndpoint(t *testing.T) {
	g := newGraph()
	config := Config{Namespace: "ns-g", Component: "backend", Endpoint: "generate", Model: "m", HealthEndpoints: []string{"generate"}}
	w := NewWorker(config, "a", seat{g, "a"})
	probe := func(path string) int { return call(t, w.SystemHandler(), "GET", path, "").status }
	expect := func(when string, live, health int) {
		t.Helper()
		if l, h := probe("/live"), probe("/health"); l != live || h != health {
			t.Errorf("%s: live %d, health %d; want %d, %d", when, l, h, live, health)
		}
	}
	expect("while loading", 503, 503)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("loaded, not registered", 200, 503)
	g.refuse = errors.New("forbidden")
	if err := w.Join(t.Context(), 1); err == nil {
		t.Error("registered against the registry's will")
	}
	if r := call(t, w.SystemHandler(), "GET", "/health", ""); r.status != 503 || !strings.Contains(r.body, "forbidden") {
		t.Errorf("after a refusal: got %d %s", r.status, r.body)
	}
	g.refuse = nil
	if err := w.Join(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	expect("registered", 200, 200)
	if err := w.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("ending", 200, 503)

	config.HealthEndpoints = nil
	w = NewWorker(config, "b", seat{g, "b"})
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("without endpoint health", 200, 200)
	config.HealthEndpoints = []string{"generate", "other"}
	w = NewWorker(config, "c", seat{g, "c"})
	if err := errors.Join(w.Load(t.Context()), w.Join(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	expect("an endpoint that is not served", 200, 503)
}

func TestLoRAsBecomeModels(t *testing.T) {
	g := newGraph()
	w := g.addWorker(t, "a", "--model", "base")
	f, system := NewFrontend("round-robin", g).Handler(), w.SystemHandler()
	const load = `{"lora_name":"org/lora","source":{"uri":"s3://bucket/org/lora"}}`

	for range 2 { // the operator repeats it on every reconcile
		if r := call(t, system, "POST", "/v1/loras", load); r.status != 200 {
			t.Fatalf("load: %d %s", r.status, r.body)
		}
	}
	if got := modelIDs(t, f); !slices.Equal(got, []string{"base", "org/lora"}) {
		t.Errorf("models after load: %v", got)
	}
	if r := call(t, f, "POST", "/v1/chat/completions", chat("org/lora", "x")); r.status != 200 {
		t.Errorf("chat with the LoRA: %d %s", r.status, r.body)
	}
	if r := call(t, system, "GET", "/v1/loras", ""); r.json["count"] != 1.0 {
		t.Errorf("list: %s", r.body)
	}
	if r := call(t, system, "DELETE", "/v1/loras/org/lora", ""); r.status != 200 {
		t.Errorf("unload: %d %s", r.status, r.body)
	}
	if r := call(t, system, "DELETE", "/v1/loras/org/lora", ""); r.status != 404 {
		t.Errorf("unload again: %d %s", r.status, r.body)
	}
	if got := modelIDs(t, f); !slices.Equal(got, []string{"base"}) {
		t.Errorf("models after unload: %v", got)
	}
	if r := call(t, system, "POST", "/v1/loras", `{"lora_name":"x","source":{"uri":"ftp://x"}}`); r.status != 400 {
		t.Errorf("bad source: %d %s", r.status, r.body)
	}
	g.refuse = errors.New("API server away")
	if r := call(t, system, "POST", "/v1/loras", load); r.status != 500 {
		t.Errorf("a load that nobody can see: %d %s", r.status, r.body)
	}
	g.refuse = nil
	if r := call(t, system, "GET", "/v1/loras", ""); r.json["count"] != 0.0 {
		t.Errorf("list after a failed load: %s", r.body)
	}
}

func TestHeapHashIsOfTheLiveMemory(t *testing.T) {
	w := NewWorker(Config{HeapMB: 3}, "a", seat{newGraph(), "a"})
	if r := call(t, w.SystemHandler(), "GET", "/standin/heap", ""); r.status != 503 {
		t.Errorf("before loading: %d", r.status)
	}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func() response { return call(t, w.SystemHandler(), "GET", "/standin/heap", "") }
	first := read()
	if first.json["bytes"] != float64(3<<20) || first.body != read().body {
		t.Errorf("heap: %s then %s", first.body, read().body)
	}
	(*w.evidence.heap.memory.Load())[12345] ^= 1
	if read().body == first.body {
		t.Error("damage does not show")
	}
}

// A process drains in order: it leaves the registry, then stops to answer.
func TestServeFinishesRunningRequests(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	listener, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serveOn(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			_, _ = io.WriteString(w, "done")
		}))
	}()
	answer := make(chan string, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), http.NoBody)
		if err != nil {
			answer <- err.Error()
			return
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-begun
	cancel()
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(drainTimeout):
		t.Error("the server did not end")
	}
}

package serving

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// rpcTimeout bounds one call of a worker.
const rpcTimeout = 30 * time.Second

// prefixBytes of a prompt decide the worker in kv mode: about one block of 16
// tokens, the smallest unit in which the real router compares prefixes.
const prefixBytes = 64

// question and answer are what a frontend and a worker exchange.
type question struct {
	Model         string `json:"model"`
	Prompt        string `json:"prompt"`
	PrefillWorker string `json:"prefill_worker,omitempty"`
}

type answer struct {
	Worker            string `json:"worker"`
	Generation        string `json:"generation,omitempty"`
	PrefillWorker     string `json:"prefill_worker,omitempty"`
	PrefillGeneration string `json:"prefill_generation,omitempty"`
	Text              string `json:"text"`
}

// router chooses workers and calls them.
type router struct {
	mode string
	// Each part takes turns of its own.
	turn, prefillTurn atomic.Uint64
	client            *http.Client
}

func newRouter(mode string) *router {
	return &router{mode: mode, client: &http.Client{Timeout: rpcTimeout}}
}

// ask lets a model answer: the prefill part first, where the chosen worker's
// namespace has prefill workers, then the answer itself. It tries the workers in
// the order of preference until one answers: a worker may end between its last
// sign of life and the call.
func (r *router) ask(ctx context.Context, model discovery.Model, prompt string, header http.Header) (a answer, err error) {
	if r.mode == "direct" {
		if model, err = chosen(model, header); err != nil {
			return answer{}, err
		}
	}
	if len(model.Workers) == 0 {
		return answer{}, unavailable("model %q is known, but none of its workers is ready to answer", model.Name)
	}
	for _, worker := range r.order(model.Workers, prompt, &r.turn) {
		q := question{Model: model.Name, Prompt: prompt}
		// Without prefill workers a decode worker does both parts, as the real one.
		prefilled := r.prefill(ctx, model, worker.Namespace, q)
		q.PrefillWorker = prefilled.Worker
		if a, err = r.call(ctx, worker, q); err == nil {
			a.PrefillWorker, a.PrefillGeneration = prefilled.Worker, prefilled.Generation
			return a, nil
		}
	}
	return a, unavailable("no worker of model %q could be reached: %v", model.Name, err)
}

// Headers by which whoever has chosen the workers of a request says so.
const (
	workerHeader  = "x-worker-instance-id"
	prefillHeader = "x-prefill-instance-id"
)

// chosen is the model with the workers alone that a request names.
func chosen(model discovery.Model, header http.Header) (discovery.Model, error) {
	id := header.Get(workerHeader)
	if id == "" {
		return model, badRequest("in router mode direct a request names its worker in the header %s", workerHeader)
	}
	only := func(workers []discovery.Instance, id string) []discovery.Instance {
		return slices.DeleteFunc(slices.Clone(workers), func(i discovery.Instance) bool { return strconv.FormatInt(i.InstanceID, 10) != id })
	}
	model.Workers, model.Prefill = only(model.Workers, id), only(model.Prefill, header.Get(prefillHeader))
	if len(model.Workers) == 0 {
		return model, unavailable("model %q has no worker %s that is ready to answer", model.Name, id)
	}
	return model, nil
}

// prefill is the answer of a prefill worker of a namespace, empty if none gives
// one.
func (r *router) prefill(ctx context.Context, model discovery.Model, namespace string, q question) answer {
	workers := slices.DeleteFunc(slices.Clone(model.Prefill), func(i discovery.Instance) bool { return i.Namespace != namespace })
	if len(workers) == 0 {
		return answer{}
	}
	for _, worker := range r.order(workers, q.Prompt, &r.prefillTurn) {
		if a, err := r.call(ctx, worker, q); err == nil {
			return a
		}
	}
	return answer{}
}

// order lists all workers, the chosen one first.
func (r *router) order(workers []discovery.Instance, prompt string, turn *atomic.Uint64) []discovery.Instance {
	ordered := slices.Clone(workers)
	switch r.mode {
	case "kv":
		prefix := prompt[:min(len(prompt), prefixBytes)]
		slices.SortFunc(ordered, func(a, b discovery.Instance) int {
			return cmp.Compare(affinity(prefix, b.Pod), affinity(prefix, a.Pod))
		})
	case "random":
		rand.Shuffle(len(ordered), func(i, j int) { ordered[i], ordered[j] = ordered[j], ordered[i] })
	default:
		first := int((turn.Add(1) - 1) % uint64(len(ordered)))
		ordered = append(ordered[first:], ordered[:first]...)
	}
	return ordered
}

// affinity is a rendezvous hash: when a worker comes or goes, only its own
// prompts change their worker.
func affinity(prefix, pod string) uint64 {
	sum := sha256.Sum256([]byte(pod + "\x00" + prefix))
	return binary.BigEndian.Uint64(sum[:])
}

func (r *router) call(ctx context.Context, worker discovery.Instance, q question) (answer, error) {
	var a answer
	body, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, worker.URL, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return a, fmt.Errorf("worker %s: %w", worker.Pod, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return a, fmt.Errorf("worker %s answered %s", worker.Pod, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&a); err != nil {
		return a, fmt.Errorf("worker %s: %w", worker.Pod, err)
	}
	// The pod that was called is a fact; what the worker says of itself is not.
	a.Worker = worker.Pod
	return a, nil
}

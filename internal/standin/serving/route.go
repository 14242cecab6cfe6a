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
	Worker        string `json:"worker"`
	PrefillWorker string `json:"prefill_worker,omitempty"`
	Text          string `json:"text"`
}

// router chooses workers and calls them.
type router struct {
	mode   string
	turn   atomic.Uint64
	client *http.Client
}

func newRouter(mode string) *router {
	return &router{mode: mode, client: &http.Client{Timeout: rpcTimeout}}
}

// ask lets a model answer: the prefill part first, where the graph has prefill
// workers, then the answer itself.
func (r *router) ask(ctx context.Context, model discovery.Model, prompt string) (answer, error) {
	if len(model.Workers) == 0 {
		return answer{}, unavailable("model %q is known, but none of its workers is ready to answer", model.Name)
	}
	q := question{Model: model.Name, Prompt: prompt}
	if len(model.Prefill) > 0 {
		// Without its prefill workers a decode worker does both parts, as the real one.
		if prefilled, err := r.callOne(ctx, model.Prefill, q); err == nil {
			q.PrefillWorker = prefilled.Worker
		}
	}
	a, err := r.callOne(ctx, model.Workers, q)
	if err != nil {
		return a, unavailable("no worker of model %q could be reached: %v", model.Name, err)
	}
	return a, nil
}

// callOne tries the workers in the order of preference until one answers: a
// worker may end between its last sign of life and the call.
func (r *router) callOne(ctx context.Context, workers []discovery.Instance, q question) (a answer, err error) {
	for _, worker := range r.order(workers, q.Prompt) {
		if a, err = r.call(ctx, worker, q); err == nil {
			return a, nil
		}
	}
	return a, err
}

// order lists all workers, the chosen one first.
func (r *router) order(workers []discovery.Instance, prompt string) []discovery.Instance {
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
		first := int((r.turn.Add(1) - 1) % uint64(len(ordered)))
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
	a.Worker, a.PrefillWorker = worker.Pod, q.PrefillWorker
	return a, nil
}

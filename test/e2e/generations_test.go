//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// generations changes the workers of a graph under constant questions: the
// change is reverted after three seconds, made again, and its operator killed.
func generations(t *testing.T) {
	const namespace = "team-b"
	address, stop := forward(t, namespace, "service/summarize-frontend")
	defer stop()
	tell := func(generation string) {
		t.Helper()
		envs := "null"
		if generation != "" {
			envs = fmt.Sprintf(`[{"name":"STANDIN_GENERATION","value":%q}]`, generation)
		}
		run(t, "kubectl", "patch", "-n", namespace, "dynamographdeployment/summarize", "--type=merge",
			"-p", fmt.Sprintf(`{"spec":{"services":{"decode":{"envs":%[1]s},"prefill":{"envs":%[1]s}}}}`, envs))
	}
	ready := func() {
		t.Helper()
		run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=180s", "dynamographdeployment/summarize")
	}
	workers := func() string {
		return run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/dynamo-worker-hash", "-o", "jsonpath={.items[*].metadata.uid}")
	}

	before := workers()
	if before == "" {
		t.Fatal("the workers have no generations")
	}
	questions := askAllTheTime(address)
	tell("two")
	time.Sleep(3 * time.Second)
	tell("")
	ready()
	after := workers()
	for uid := range strings.FieldsSeq(before) {
		if !strings.Contains(after, uid) {
			t.Errorf("the revert replaced workers that served: %s, then %s", before, after)
		}
	}
	tell("three")
	run(t, "kubectl", "delete", "pod", "-n", platformOf(namespace), "-l", "control-plane=controller-manager", "--force", "--grace-period=0")
	eventually(t, 3*time.Minute, func() error {
		if last := questions.last(); last != "three" {
			return fmt.Errorf("%q answers", last)
		}
		return nil
	})
	ready()
	seen := questions.end()
	t.Log(seen)
	if seen.mixed > 0 || seen.failed > 0 || seen.byGeneration["three"] == 0 || len(seen.byGeneration) < 2 {
		t.Errorf("%+v, the first error: %v", seen, seen.err)
	}
}

// load asks every 20 milliseconds until it is ended.
type load struct {
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	mu      sync.Mutex
	outcome outcome
	latest  string
}

type outcome struct {
	byGeneration  map[string]int
	mixed, failed int
	err           error
}

func askAllTheTime(address string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, outcome: outcome{byGeneration: map[string]int{}}}
	l.ended.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.ended.Go(func() { l.note(generationsOf(address)) })
			}
		}
	})
	return l
}

func (l *load) note(decode, prefill string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.outcome.failed++
		if l.outcome.err == nil {
			l.outcome.err = err
		}
		return
	case prefill != "" && prefill != decode:
		l.outcome.mixed++
	}
	l.outcome.byGeneration[decode]++
	l.latest = decode
}

func (l *load) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}

func (l *load) end() outcome {
	l.cancel()
	l.ended.Wait()
	return l.outcome
}

// generationsOf asks a question and returns of which generations the workers
// are that answered.
func generationsOf(address string) (decode, prefill string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	body := `{"model":"Qwen/Qwen3-0.6B","messages":[{"role":"user","content":"Which generation?"}]}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	if err != nil {
		return "", "", err
	}
	return response.Header.Get("x-standin-generation"), response.Header.Get("x-standin-prefill-generation"), nil
}

package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// loraSource is what a LoRA may be loaded from.
var loraSource = regexp.MustCompile(`^(s3|hf|file)://.+`)

func (w *Worker) listLoRAs(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]int64{}
	for name := range w.loras {
		ids[name] = discovery.InstanceID(name)
	}
	writeJSON(rw, http.StatusOK, map[string]any{"status": "success", "loras": ids, "count": len(ids)})
}

// loadLoRA takes {"lora_name": NAME, "source": {"uri": URI}}. Loading twice is
// as good as once. Nothing is downloaded.
func (w *Worker) loadLoRA(rw http.ResponseWriter, r *http.Request) {
	var req struct {
		Name   string `json:"lora_name"`
		Source struct {
			URI string `json:"uri"`
		} `json:"source"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody)).Decode(&req); err != nil {
		writeError(rw, badRequest("the body is not a LoRA to load: %v", err))
		return
	}
	if req.Name == "" || !loraSource.MatchString(req.Source.URI) {
		writeError(rw, badRequest("lora_name must be set and source.uri must begin with s3://, hf:// or file://; got %q and %q", req.Name, req.Source.URI))
		return
	}
	w.changeLoRAs(r.Context(), rw, req.Name, "loaded", func(loras map[string]string) error {
		loras[req.Name] = req.Source.URI
		return nil
	})
}

func (w *Worker) unloadLoRA(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	w.changeLoRAs(r.Context(), rw, name, "unloaded", func(loras map[string]string) error {
		if _, found := loras[name]; !found {
			return &apiError{http.StatusNotFound, fmt.Sprintf("LoRA %q is not loaded", name), "invalid_request_error", "lora_not_found"}
		}
		delete(loras, name)
		return nil
	})
}

// changeLoRAs makes a change known to frontends, or does not make it at all.
func (w *Worker) changeLoRAs(ctx context.Context, rw http.ResponseWriter, name, done string, change func(map[string]string) error) {
	w.joining.Lock()
	defer w.joining.Unlock()
	w.mu.Lock()
	before, ready := w.loras, w.phase == registered
	w.mu.Unlock()

	after := map[string]string{}
	maps.Copy(after, before)
	err := change(after)
	if err == nil && !ready {
		err = unavailable("the worker is not ready")
	}
	if err == nil && !maps.Equal(before, after) {
		err = w.publish(ctx, after)
	}
	if err != nil {
		writeError(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, map[string]any{
		"status": "success", "message": "LoRA " + done, "lora_name": name, "lora_id": discovery.InstanceID(name),
	})
}

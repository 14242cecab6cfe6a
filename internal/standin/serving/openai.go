package serving

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxBody is the largest request accepted, in bytes, as in the real frontend.
const maxBody = 45 << 20

// apiError is an error as OpenAI clients expect it.
type apiError struct {
	status  int
	message string
	kind    string
	code    string
}

func (e *apiError) Error() string { return e.message }

func badRequest(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, fmt.Sprintf(format, args...), "invalid_request_error", "invalid_request"}
}

func modelNotFound(name string, available []string) *apiError {
	served := "no model is served now"
	if len(available) > 0 {
		served = "models served: " + strings.Join(available, ", ")
	}
	return &apiError{http.StatusNotFound, fmt.Sprintf("model %q is not found; %s", name, served), "invalid_request_error", "model_not_found"}
}

func unavailable(format string, args ...any) *apiError {
	return &apiError{http.StatusServiceUnavailable, fmt.Sprintf(format, args...), "server_error", "service_unavailable"}
}

func writeError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{http.StatusInternalServerError, err.Error(), "server_error", "internal_error"}
	}
	writeJSON(w, e.status, map[string]any{"error": map[string]any{
		"message": e.message, "type": e.kind, "param": nil, "code": e.code,
	}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The only error left is a client that has gone away.
	_ = json.NewEncoder(w).Encode(body)
}

// apiRequest is what both completion APIs have in common.
type apiRequest struct {
	Model  string `json:"model"`
	Stream bool   `json:"stream"`

	Messages []struct {
		Content text `json:"content"`
	} `json:"messages"`
	Prompt text `json:"prompt"`
}

// text is a string, or a list of strings or of {"text": ...} parts.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, (*string)(t)) == nil {
		return nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return errors.New("must be a string or a list")
	}
	for _, part := range parts {
		var words string
		var object struct {
			Text string `json:"text"`
		}
		if json.Unmarshal(part, &words) == nil {
			*t += text(words) + " "
		} else if json.Unmarshal(part, &object) == nil {
			*t += text(object.Text) + " "
		}
	}
	return nil
}

func readRequest(w http.ResponseWriter, r *http.Request, isChat bool) (apiRequest, error) {
	var req apiRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		return req, badRequest("the body is not the JSON that this API takes: %v", err)
	}
	switch {
	case req.Model == "":
		return req, badRequest("field model is missing")
	case isChat && len(req.Messages) == 0:
		return req, badRequest("field messages is missing or empty")
	case !isChat && req.Prompt == "":
		return req, badRequest("field prompt is missing or empty")
	}
	return req, nil
}

// promptText is the whole input as one text.
func (r apiRequest) promptText() string {
	if r.Prompt != "" {
		return string(r.Prompt)
	}
	var b strings.Builder
	for _, m := range r.Messages {
		b.WriteString(string(m.Content) + "\n")
	}
	return b.String()
}

// reply turns an answer into the two shapes of the two APIs.
type reply struct {
	isChat  bool
	id      string
	created int64
	req     apiRequest
	answer  answer
}

func newReply(isChat bool, req apiRequest, a answer) reply {
	now := time.Now()
	prefix := map[bool]string{true: "chatcmpl-", false: "cmpl-"}[isChat]
	return reply{isChat, fmt.Sprint(prefix, now.UnixNano()), now.Unix(), req, a}
}

func (r reply) envelope(object string, choice map[string]any) map[string]any {
	choice["index"] = 0
	return map[string]any{
		"id": r.id, "object": object, "created": r.created, "model": r.req.Model,
		"choices": []any{choice},
		"nvext":   map[string]any{"worker": r.answer.Worker, "prefill_worker": r.answer.PrefillWorker},
	}
}

func (r reply) writeWhole(w http.ResponseWriter) {
	choice, object := map[string]any{"finish_reason": "stop"}, "text_completion"
	if r.isChat {
		object = "chat.completion"
		choice["message"] = map[string]any{"role": "assistant", "content": r.answer.Text}
	} else {
		choice["text"] = r.answer.Text
	}
	body := r.envelope(object, choice)
	in, out := len(strings.Fields(r.req.promptText())), len(strings.Fields(r.answer.Text))
	body["usage"] = map[string]int{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out}
	writeJSON(w, http.StatusOK, body)
}

// writeStream sends one server-sent event per word.
func (r reply) writeStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher := http.NewResponseController(w)
	send := func(event any) {
		data, err := json.Marshal(event)
		if err == nil {
			_, err = fmt.Fprintf(w, "data: %s\n\n", data)
		}
		if err == nil {
			_ = flusher.Flush() // fails only for a client that has gone away
		}
	}
	for _, word := range strings.SplitAfter(r.answer.Text, " ") {
		send(r.chunk(word, nil))
	}
	send(r.chunk("", "stop"))
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func (r reply) chunk(word string, finish any) map[string]any {
	if !r.isChat {
		return r.envelope("text_completion", map[string]any{"text": word, "finish_reason": finish})
	}
	delta := map[string]any{}
	if finish == nil {
		delta = map[string]any{"role": "assistant", "content": word}
	}
	return r.envelope("chat.completion.chunk", map[string]any{"delta": delta, "finish_reason": finish})
}

package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	// askTimeout bounds a question to a worker or a frontend, and the unloading of
	// an adapter.
	askTimeout = 5 * time.Second
	// loadTimeout bounds the loading of an adapter, download included: some have
	// gigabytes.
	loadTimeout = 15 * time.Minute
	// longestAnswer is how much of an answer is read, in bytes.
	longestAnswer = 1 << 20
)

// errUnknown: the server does not know what was asked for.
var errUnknown = errors.New("unknown to the server")

// server speaks with workers and frontends. It follows no redirects: where a pod
// sends it is not where it was sent.
var server = &http.Client{
	Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: askTimeout}).DialContext,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// loaded asks a worker which adapters it has; errUnknown from one that cannot
// tell.
func loaded(ctx context.Context, worker string) (map[string]bool, error) {
	var answer struct {
		LoRAs map[string]any `json:"loras"`
	}
	if err := call(ctx, askTimeout, http.MethodGet, worker+"/v1/loras", nil, &answer); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range answer.LoRAs {
		names[name] = true
	}
	return names, nil
}

// load makes a worker load an adapter. One that has it already says yes.
func load(ctx context.Context, worker, name, uri string) error {
	body := map[string]any{"lora_name": name, "source": map[string]string{"uri": uri}}
	return call(ctx, loadTimeout, http.MethodPost, worker+"/v1/loras", body, nil)
}

// unload makes a worker forget an adapter, which it need not have. Where no
// program listens, nothing is loaded.
func unload(ctx context.Context, worker, name string) error {
	err := call(ctx, askTimeout, http.MethodDelete, worker+"/v1/loras/"+url.PathEscape(name), nil, nil)
	if errors.Is(err, errUnknown) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

// reason is an error for people, the same each time: without the addresses of
// one connection.
func reason(err error) string {
	var connection *net.OpError
	switch {
	case errors.As(err, &connection):
		return "does not answer: " + connection.Err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "does not answer in time"
	}
	return err.Error()
}

// listed asks a frontend which models it serves.
func listed(ctx context.Context, frontend string) (map[string]bool, error) {
	var answer struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := call(ctx, askTimeout, http.MethodGet, frontend+"/v1/models", nil, &answer); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, model := range answer.Data {
		names[model.ID] = true
	}
	return names, nil
}

func call(ctx context.Context, timeout time.Duration, method, target string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := server.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, target, err)
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", method, target, errUnknown)
	case response.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, target, response.Status, bytes.TrimSpace(text[:min(len(text), 300)]))
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: the answer is no JSON of the expected form: %w", method, target, err)
	}
	return nil
}

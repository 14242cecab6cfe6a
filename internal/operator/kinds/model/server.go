package model

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/podhttp"
)

const (
	// askTimeout bounds a question to a worker or a frontend, and the unloading of
	// an adapter.
	askTimeout = 5 * time.Second
	// loadTimeout bounds the loading of an adapter, download included: some have
	// gigabytes.
	loadTimeout = 15 * time.Minute
)

// loaded asks a worker which adapters it has; podhttp.ErrUnknown from one that cannot
// tell.
func loaded(ctx context.Context, worker string) (map[string]bool, error) {
	var answer struct {
		LoRAs map[string]any `json:"loras"`
	}
	if err := podhttp.Call(ctx, askTimeout, http.MethodGet, worker+"/v1/loras", nil, &answer); err != nil {
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
	return podhttp.Call(ctx, loadTimeout, http.MethodPost, worker+"/v1/loras", body, nil)
}

// unload makes a worker forget an adapter, which it need not have. Where no
// program listens, nothing is loaded.
func unload(ctx context.Context, worker, name string) error {
	err := podhttp.Call(ctx, askTimeout, http.MethodDelete, worker+"/v1/loras/"+url.PathEscape(name), nil, nil)
	if errors.Is(err, podhttp.ErrUnknown) || errors.Is(err, syscall.ECONNREFUSED) {
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
	if err := podhttp.Call(ctx, askTimeout, http.MethodGet, frontend+"/v1/models", nil, &answer); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, model := range answer.Data {
		names[model.ID] = true
	}
	return names, nil
}

package session

import (
	"context"
	"slices"
	"sync"
)

// Warnings are what the API server says in Warning headers while a context is
// used: pod security, deprecated APIs, policies in warning mode.
type Warnings struct {
	mutex sync.Mutex
	texts []string
}

type warningsKey struct{}

// Collect makes a context whose requests add what they are warned of.
func (w *Warnings) Collect(ctx context.Context) context.Context {
	return context.WithValue(ctx, warningsKey{}, w)
}

// Texts lists them, each once.
func (w *Warnings) Texts() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.texts)
}

// Add adds one; an empty text is none.
func (w *Warnings) Add(text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if text != "" && !slices.Contains(w.texts, text) {
		w.texts = append(w.texts, text)
	}
}

// collectWarnings hands warnings to the context that asked for them.
type collectWarnings struct{}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (collectWarnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	if w, ok := ctx.Value(warningsKey{}).(*Warnings); ok && code == 299 {
		w.Add(text)
	}
}

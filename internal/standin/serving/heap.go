package serving

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync/atomic"
)

// heap is random memory, held so that a checkpoint has something to lose.
type heap struct {
	memory atomic.Pointer[[]byte]
}

// fill allocates the heap, in MiB. Its content differs in every process.
func (h *heap) fill(mib int) error {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return fmt.Errorf("seed the heap: %w", err)
	}
	memory := make([]byte, mib<<20)
	if _, err := mathrand.NewChaCha8(seed).Read(memory); err != nil {
		return fmt.Errorf("fill the heap: %w", err)
	}
	h.memory.Store(&memory)
	return nil
}

// serve hashes the memory as it is now, so that damage shows.
func (h *heap) serve(w http.ResponseWriter, _ *http.Request) {
	if h.memory.Load() == nil {
		writeError(w, unavailable("the heap is not filled yet"))
		return
	}
	bytes, digest := h.digest()
	writeJSON(w, http.StatusOK, map[string]any{"bytes": bytes, "sha256": digest})
}

// digest is "" as long as the heap is not filled.
func (h *heap) digest() (bytes int, sha string) {
	memory := h.memory.Load()
	if memory == nil {
		return 0, ""
	}
	sum := sha256.Sum256(*memory)
	return len(*memory), hex.EncodeToString(sum[:])
}

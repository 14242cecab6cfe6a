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
	memory := h.memory.Load()
	if memory == nil {
		writeError(w, unavailable("the heap is not filled yet"))
		return
	}
	sum := sha256.Sum256(*memory)
	writeJSON(w, http.StatusOK, map[string]any{"bytes": len(*memory), "sha256": hex.EncodeToString(sum[:])})
}

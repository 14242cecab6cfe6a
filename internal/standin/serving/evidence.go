package serving

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// tick is how often a process counts that it is alive.
const tick = 100 * time.Millisecond

// evidence is what only the very process can show that has built it: one that
// starts anew has another boot id, another heap and another file.
type evidence struct {
	heap heap
	// boot is of the process, run of each time that it began to serve.
	boot, run string

	mu       sync.Mutex
	count    int64
	waited   int64 // the count when the checkpoint could be taken
	restored bool
	built    time.Time     // when the heap was
	took     time.Duration // to load the model
	deleted  *os.File      // open, and in no folder any more
}

func newEvidence() *evidence {
	e := &evidence{boot: rand.Text(), run: rand.Text()}
	go func() {
		for range time.Tick(tick) {
			e.mu.Lock()
			e.count++
			e.mu.Unlock()
		}
	}()
	return e
}

// loaded notes how long the model took.
func (e *evidence) loaded(since time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.built, e.took = time.Now(), time.Since(since)
}

func (e *evidence) waiting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waited = e.count
}

// again: several processes have been this one, and each serves under ids of its own.
func (e *evidence) again() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.restored, e.run = true, rand.Text()
}

// holdDeletedFile keeps a file open that is in no folder, as engines do.
func (e *evidence) holdDeletedFile(folder string) error {
	file, err := os.CreateTemp(folder, "standin-")
	if err != nil {
		return fmt.Errorf("make a file to delete: %w", err)
	}
	if _, err := file.WriteString(rand.Text()); err != nil {
		return fmt.Errorf("fill a file to delete: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return fmt.Errorf("delete a file that is open: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deleted = file
	return nil
}

func (e *evidence) deletedDigest() string {
	if e.deleted == nil {
		return ""
	}
	content := make([]byte, 64)
	n, err := e.deleted.ReadAt(content, 0)
	if n == 0 {
		return "lost: " + err.Error()
	}
	sum := sha256.Sum256(content[:n])
	return hex.EncodeToString(sum[:])
}

func (e *evidence) serve(rw http.ResponseWriter, _ *http.Request) {
	bytes, digest := e.heap.digest()
	e.mu.Lock()
	defer e.mu.Unlock()
	writeJSON(rw, http.StatusOK, map[string]any{
		"boot_id": e.boot, "run_id": e.run, "restored": e.restored,
		"counter": e.count, "counter_at_checkpoint": e.waited, "deleted_file_sha256": e.deletedDigest(),
		"heap": map[string]any{
			"bytes": bytes, "sha256": digest, "built_at": e.built.UTC().Format(time.RFC3339Nano), "build_seconds": e.took.Seconds(),
		},
	})
}

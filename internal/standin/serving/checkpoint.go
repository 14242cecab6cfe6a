package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// checkpointPoll is how often a worker looks for what became of its checkpoint.
const checkpointPoll = 200 * time.Millisecond

// Checkpoint is where a worker of which one is to be taken, and whoever takes it,
// leave each other word. Without SignalFile none is to be taken.
type Checkpoint struct {
	SignalFile string // DYN_CHECKPOINT_SIGNAL_FILE: the outcome, in JSON
	ReadyFile  string // DYN_READY_FOR_CHECKPOINT_FILE: the model is loaded
	MarkerFile string // DYN_RESTORE_MARKER_FILE: the process was restored
}

func (s *settings) checkpoint() Checkpoint {
	c := Checkpoint{
		SignalFile: s.getenv("DYN_CHECKPOINT_SIGNAL_FILE"), ReadyFile: s.getenv("DYN_READY_FOR_CHECKPOINT_FILE"),
		MarkerFile: s.getenv("DYN_RESTORE_MARKER_FILE"),
	}
	if c.SignalFile != "" && (c.ReadyFile == "" || c.MarkerFile == "") && s.err == nil {
		s.err = fmt.Errorf("DYN_CHECKPOINT_SIGNAL_FILE asks for a checkpoint, which needs DYN_READY_FOR_CHECKPOINT_FILE and DYN_RESTORE_MARKER_FILE, too")
	}
	return c
}

// await says that the model is loaded, and waits until the checkpoint is taken: then
// restored is false, and the process has nothing more to do. It is true in the
// process that goes on from the checkpoint.
func (c Checkpoint) await(ctx context.Context) (restored bool, err error) {
	if err := os.Remove(c.MarkerFile); err != nil && !os.IsNotExist(err) {
		return false, fmt.Errorf("remove the marker of an earlier restore: %w", err)
	}
	if err := os.WriteFile(c.ReadyFile, []byte("ready"), 0o600); err != nil {
		return false, fmt.Errorf("say that a checkpoint can be taken: %w", err)
	}
	for {
		if _, err := os.Stat(c.MarkerFile); err == nil {
			return true, nil
		}
		if data, err := os.ReadFile(c.SignalFile); err == nil {
			return false, outcome(data)
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(checkpointPoll):
		}
	}
}

func outcome(data []byte) error {
	var signal struct {
		Success bool   `json:"success"`
		Error   string `json:"error"`
	}
	if err := json.Unmarshal(data, &signal); err != nil {
		return fmt.Errorf("read the outcome of the checkpoint: %w", err)
	}
	if !signal.Success {
		return fmt.Errorf("the checkpoint was not taken: %s", signal.Error)
	}
	return nil
}

// checkpointed has a checkpoint taken of a worker that has loaded its model. goesOn is
// true where the process serves afterwards: it was restored, or needs no checkpoint.
func checkpointed(ctx context.Context, c Config, w *Worker, getenv func(string) string, log *slog.Logger) (goesOn bool, err error) {
	if c.Checkpoint.SignalFile == "" {
		return true, nil
	}
	if err := w.evidence.holdDeletedFile(filepath.Dir(c.Checkpoint.ReadyFile)); err != nil {
		return false, err
	}
	w.evidence.waiting()
	log.Info("the model is loaded; waiting for the checkpoint")
	restored, err := c.Checkpoint.await(ctx)
	if err != nil || !restored {
		return false, err
	}
	w.evidence.again()
	if place := discovery.ReadPlace(discovery.PodInfoDir); place != "" {
		if c.Generation == c.Namespace {
			c.Generation = place
		}
		c.Namespace = place
	}
	w.become(c, getenv)
	log.Info("restored from a checkpoint", "pod", w.me().pod, "namespace", c.Namespace)
	return true, nil
}

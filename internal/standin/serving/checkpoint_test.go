package serving

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// source is a worker of which a checkpoint is to be taken, with the folder of its
// files. What came of it is sent when it ends.
func source(t *testing.T) (folder string, w *Worker, ended chan error) {
	t.Helper()
	folder = t.TempDir()
	env := map[string]string{
		"DYN_CHECKPOINT_SIGNAL_FILE": filepath.Join(folder, "signal"), "DYN_READY_FOR_CHECKPOINT_FILE": filepath.Join(folder, "ready"),
		"DYN_RESTORE_MARKER_FILE": filepath.Join(folder, "marker"), "STANDIN_HEAP_MB": "1", "DYN_NAMESPACE": "team-chat",
	}
	config, err := ParsePython([]string{"-m", "dynamo.vllm"}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	w = NewWorker(config, "source", seat{newGraph(), "source"})
	ended = make(chan error, 1)
	go func() {
		if err := w.Load(t.Context()); err != nil {
			ended <- err
			return
		}
		// As in the pod into which it is restored.
		goesOn, err := checkpointed(t.Context(), config, w, func(name string) string {
			return map[string]string{"POD_NAME": "target", "POD_UID": "2", "POD_NAMESPACE": "team"}[name]
		}, slog.New(slog.DiscardHandler))
		if err == nil && !goesOn {
			err = context.Canceled
		}
		ended <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(folder, "ready")); err == nil {
			return folder, w, ended
		}
		if time.Now().After(deadline) {
			t.Fatal("the worker does not say that it is ready for the checkpoint")
		}
	}
}

func TestASourceEndsWhenItsCheckpointIsTaken(t *testing.T) {
	for name, tc := range map[string]struct{ signal, want string }{
		"taken":     {`{"success": true}`, context.Canceled.Error()},
		"not taken": {`{"success": false, "error": "no room"}`, "the checkpoint was not taken: no room"},
		"nonsense":  {`{`, "read the outcome of the checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, _, ended := source(t)
			// As a whole, like the agent.
			if err := os.WriteFile(filepath.Join(folder, "new"), []byte(tc.signal), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "signal")); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// The same process goes on in another pod, under an id that no other replica has.
func TestARestoredWorkerIsTheSameProcessUnderAnotherName(t *testing.T) {
	folder, w, ended := source(t)
	read := func() map[string]any { return call(t, w.SystemHandler(), "GET", "/standin/process", "").json }
	before := read()
	if err := os.WriteFile(filepath.Join(folder, "marker"), []byte("restored"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	after := read()
	heap := func(evidence map[string]any) any { return evidence["heap"].(map[string]any)["sha256"] }
	if after["boot_id"] != before["boot_id"] || heap(after) != heap(before) || heap(after) == "" || after["deleted_file_sha256"] == "" || after["restored"] != true || before["restored"] != false {
		t.Errorf("before %v\nafter  %v", before, after)
	}
	if after["run_id"] == before["run_id"] || w.me().pod != "target" {
		t.Errorf("it still is %s, run %v", w.me().pod, after["run_id"])
	}
	if data := w.data(nil); !strings.Contains(data.Endpoints["team-chat/backend/generate"].Transport.HTTP, "target") {
		t.Errorf("%+v", data)
	}
	// What starts anew shows nothing of the kind.
	_, other, _ := source(t)
	if cold := call(t, other.SystemHandler(), "GET", "/standin/process", "").json; cold["boot_id"] == after["boot_id"] || heap(cold) == heap(after) {
		t.Errorf("two processes show the same: %v", cold)
	}
}

func TestACheckpointNeedsAllItsFiles(t *testing.T) {
	_, err := ParsePython([]string{"-m", "dynamo.vllm"}, func(name string) string { return map[string]string{"DYN_CHECKPOINT_SIGNAL_FILE": "/x"}[name] })
	if err == nil || !strings.Contains(err.Error(), "DYN_READY_FOR_CHECKPOINT_FILE") {
		t.Errorf("got %v", err)
	}
}

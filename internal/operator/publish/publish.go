// Package publish hands on what a profiler has written: it is what the operator's
// image does in the pod of a profiling Job, after the profiler.
package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// largest is what all files together may have, in bytes. A ConfigMap takes 1 MiB.
const largest = 900 << 10

// patience is for an API server that is away; the Job then tries again.
var patience = wait.Backoff{Duration: time.Second, Factor: 2, Steps: 6}

// Run has the results that are in dir written, as a merge patch of a ConfigMap.
func Run(ctx context.Context, dir fs.FS, write func(ctx context.Context, patch []byte) error) error {
	files, err := collect(dir)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"data": files})
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	var last error
	err = wait.ExponentialBackoffWithContext(ctx, patience, func(ctx context.Context) (bool, error) {
		last = write(ctx, patch)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("write the results: %w", cmp.Or(last, err))
	}
	return nil
}

// collect reads the results, or tells what the profiler says of itself.
func collect(dir fs.FS) (map[string]string, error) {
	files, total := map[string]string{}, 0
	for _, name := range []string{render.ProfilingStatus, render.ProfilingResult, render.ProfilingMockerResult} {
		data, err := read(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = string(data)
		if total += len(data); total > largest {
			return nil, fmt.Errorf("the profiler's results have more than %d KiB", largest>>10)
		}
	}
	if err := succeeded(files[render.ProfilingStatus]); err != nil {
		return nil, err
	}
	if files[render.ProfilingResult] == "" && files[render.ProfilingMockerResult] == "" {
		return nil, fmt.Errorf("the profiler has ended and left neither %s nor %s", render.ProfilingResult, render.ProfilingMockerResult)
	}
	return files, nil
}

// read takes plain files that are not too large.
func read(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err != nil {
		return nil, fmt.Errorf("look at the profiler's results: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return nil, fmt.Errorf("%s is no plain file of at most %d KiB", name, largest>>10)
	}
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, fmt.Errorf("read the profiler's results: %w", err)
	}
	return data, nil
}

// succeeded: a profiler that writes no status is believed by its exit code.
func succeeded(text string) error {
	var status struct{ Status, Message, Error string }
	if err := yaml.Unmarshal([]byte(text), &status); err != nil {
		return fmt.Errorf("read %s: %w", render.ProfilingStatus, err)
	}
	switch status.Status {
	case "", "success":
		return nil
	case "failed":
		return errors.New("the profiler says that it failed: " + cmp.Or(status.Error, status.Message, "it does not say why"))
	}
	return fmt.Errorf("the profiler has ended, and says that it is %s: %s", status.Status, status.Message)
}

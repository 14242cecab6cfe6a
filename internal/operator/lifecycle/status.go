package lifecycle

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// settle is the least time between two writes of an object's status, unless
// they differ in a condition's status or reason. While a workload starts, its
// counts and messages change many times a second, and nobody reads them all.
const settle = time.Second

// How long a condition's message and an event's note may be, in characters. The
// API takes 32768 characters of the one and 1024 bytes of the other; what is
// longer would keep all of it from being written.
const (
	longestMessage = 4096
	longestNote    = 256
)

// statuses writes the status of the objects of one kind.
type statuses struct {
	apply *apply.Applier

	mu sync.Mutex
	// written says when an object's status was last written.
	written map[types.NamespacedName]time.Time
}

func newStatuses(a *apply.Applier) *statuses {
	return &statuses{apply: a, written: map[types.NamespacedName]time.Time{}}
}

// write writes the status of after if it differs from that of before. If it is
// not urgent and has to wait, write returns for how long.
func (s *statuses) write(ctx context.Context, before, after client.Object, urgent bool) (wait time.Duration, err error) {
	patch, err := apply.StatusPatch(before, after)
	if err != nil || patch == nil {
		return 0, err
	}
	key := client.ObjectKeyFromObject(after)
	if wait := s.untilSettled(key); wait > 0 && !urgent {
		return wait, nil
	}
	if err := s.apply.Status(ctx, after, patch); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written[key] = time.Now()
	return 0, nil
}

func (s *statuses) untilSettled(key types.NamespacedName) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.written[key]
	if !ok {
		return 0
	}
	return settle - time.Since(last)
}

// forget is for objects that are gone.
func (s *statuses) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.written, key)
}

// headlines are what a person notices first: which conditions there are, with
// their status and reason.
func headlines(conditions []metav1.Condition) string {
	var lines strings.Builder
	for _, c := range conditions {
		fmt.Fprintln(&lines, c.Type, c.Status, c.Reason)
	}
	return lines.String()
}

// shorten cuts messages, in place, so that the API takes them.
func shorten(conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].Message = plain.Text(conditions[i].Message, longestMessage)
	}
}

// sooner of two times to wait, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// A change of a status that does not turn a condition waits for others, and is
// written with them: while a workload starts, its counts and messages change many
// times a second, and nobody reads them all. Counts alone wait longer, and what will
// have more to tell by itself waits longest.
const (
	settle       = time.Second
	settleCounts = 5 * time.Second
	settleStart  = 5 * time.Minute
)

// LongestMessage is how long a condition's message may be, in characters. The
// API takes 32768; what is longer would keep all of the status from being written.
const LongestMessage = 4096

// statuses writes the status of the objects of one kind.
type statuses struct {
	apply *apply.Applier

	mu sync.Mutex
	// due says when an object's status, which differs from what is written, will be.
	due map[types.NamespacedName]time.Time
}

func newStatuses(a *apply.Applier) *statuses {
	return &statuses{apply: a, due: map[types.NamespacedName]time.Time{}}
}

// write writes the status of after if it differs from that of before and cannot
// wait, for patience or for what is left of that of an earlier change. If it can,
// write returns for how long.
func (s *statuses) write(ctx context.Context, before, after client.Object, patience time.Duration) (wait time.Duration, err error) {
	key := client.ObjectKeyFromObject(after)
	patch, err := apply.StatusPatch(before, after)
	if err != nil {
		return 0, err
	}
	if patch == nil {
		s.forget(key)
		return 0, nil
	}
	if wait := s.canWait(key, patience); wait > 0 {
		return wait, nil
	}
	if err := s.apply.Status(ctx, after, patch); err != nil {
		return 0, err
	}
	s.forget(key)
	return 0, nil
}

func (s *statuses) canWait(key types.NamespacedName, patience time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Now().Add(patience)
	if due, known := s.due[key]; !known || at.Before(due) {
		s.due[key] = at
	}
	return time.Until(s.due[key])
}

// forget is for objects that are gone, and for those whose status is written.
func (s *statuses) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.due, key)
}

// patience is how long a change of these conditions may wait. Those of a new
// object do, because it has not been anything else before.
func patience(before, after []metav1.Condition) time.Duration {
	switch {
	case len(before) > 0 && headlines(before) != headlines(after):
		return 0
	case len(after) > 0 && slices.Equal(before, after):
		return settleCounts
	}
	return settle
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

// speak puts messages, in place, into the words of the version that the object's
// author wrote.
func speak(object client.Object, conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].Message = conversion.ForAuthor(conditions[i].Message, object, string(apply.FieldManager))
	}
}

// shorten cuts messages, in place, so that the API takes them.
func shorten(conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].Message = plain.Text(conditions[i].Message, LongestMessage)
	}
}

// sooner of two times to wait, of which zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

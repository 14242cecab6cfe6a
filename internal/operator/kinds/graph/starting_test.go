package graph

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
)

// A person who is needed by one service is not kept waiting for another that starts.
func TestOnlyAStartIsWaitedFor(t *testing.T) {
	starting, ready := pathway.Service{Starting: true}, pathway.Service{Ready: true}
	for name, tc := range map[string]struct {
		services map[string]pathway.Service
		want     bool
	}{
		"nothing starts":      {map[string]pathway.Service{"a": ready}, false},
		"one starts":          {map[string]pathway.Service{"a": ready, "b": starting}, true},
		"another is blocked":  {map[string]pathway.Service{"a": {Blocked: true}, "b": starting}, false},
		"another is refused":  {map[string]pathway.Service{"a": starting, "b": {Refused: true}}, false},
		"there are no others": {nil, false},
	} {
		if got := onlyStart(tc.services); got != tc.want {
			t.Errorf("%s: got %t, want %t", name, got, tc.want)
		}
	}
}

package main

import (
	"strings"
	"testing"
)

func TestAnAgentWithoutTheEngineHasNoArtifacts(t *testing.T) {
	for _, args := range [][]string{{"artifacts", "list"}, {"artifacts", "verify", "one"}, {"artifacts", "remove", "one"}} {
		if _, err := execute(t, t.TempDir(), args...); err == nil || !strings.Contains(err.Error(), "engine.enabled is false") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

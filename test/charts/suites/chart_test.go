package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAKeyIsTakenOutHoweverItIsWritten(t *testing.T) {
	type block = map[string]any
	for name, test := range map[string]struct {
		set, want block
		had       bool
	}{
		"as a path":               {block{"a.b": 1, "a.c": 2}, block{"a.c": 2}, true},
		"in mappings":             {block{"a": block{"b": 1, "c": 2}}, block{"a": block{"c": 2}}, true},
		"in both":                 {block{"x.a": 1, "a": block{"b": 1}}, block{"x.a": 1, "a": block{}}, true},
		"with what is below":      {block{"a.b.c": 1, "a.b[0]": 2}, block{}, true},
		"not a key that is alike": {block{"a.bc": 1, "a": block{"bb": 2}}, block{"a.bc": 1, "a": block{"bb": 2}}, false},
		"not the one above":       {block{"a": 1}, block{"a": 1}, false},
	} {
		got, had := without(test.set, "a.b")
		if diff := cmp.Diff(test.want, got); diff != "" || had != test.had {
			t.Errorf("%s: had it: %v, want %v (-want +got):\n%s", name, had, test.had, diff)
		}
	}
}

package crdsafety

import (
	"fmt"
	"slices"
	"strings"
)

// Class says how much a change of a definition can hurt.
type Class string

// The classes of changes, from harmless to impossible.
const (
	// Safe changes only allow more.
	Safe Class = "safe"
	// Notable changes break nothing, but objects behave differently.
	Notable Class = "notable"
	// Narrowing changes break the objects that used what is taken away.
	Narrowing Class = "narrowing"
	// Breaking changes hurt as soon as there is any object or client.
	Breaking Class = "breaking"
	// Forbidden changes are refused by the API server, whoever consents.
	Forbidden Class = "forbidden"
)

var severity = []Class{Safe, Notable, Narrowing, Breaking, Forbidden}

// AtLeast reports whether the class is the other one or worse.
func (c Class) AtLeast(other Class) bool {
	return slices.Index(severity, c) >= slices.Index(severity, other)
}

// Change is one difference between two definitions.
type Change struct {
	Class Class `json:"class"`
	// Version is the API version that it is about; empty if it is about all.
	Version string `json:"version,omitempty"`
	// Path is the field, such as spec.services.*.replicas; empty if the change
	// is not about a field. Any key of a map is *, any item of a list [*].
	Path string `json:"path,omitempty"`
	// Says is what changes, in words.
	Says string `json:"says"`
}

func (c Change) String() string {
	text := c.Says
	if c.Path != "" {
		text = c.Path + ": " + text
	}
	if c.Version != "" {
		text = c.Version + " " + text
	}
	return text
}

// changes collects differences of one version.
type changes struct {
	version string
	list    []Change
}

func (c *changes) add(class Class, path, format string, args ...any) {
	c.list = append(c.list, Change{Class: class, Version: c.version, Path: strings.TrimPrefix(path, "."), Says: fmt.Sprintf(format, args...)})
}

// worstFirst orders changes for people; the order within a class is kept.
func worstFirst(list []Change) []Change {
	slices.SortStableFunc(list, func(a, b Change) int {
		return slices.Index(severity, b.Class) - slices.Index(severity, a.Class)
	})
	return list
}

// worst is the worst class among changes, Safe if there are none.
func worst(list []Change) Class {
	out := Safe
	for _, c := range list {
		if c.Class.AtLeast(out) {
			out = c.Class
		}
	}
	return out
}

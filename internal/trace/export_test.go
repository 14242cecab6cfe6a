package trace

import "slices"

// Tractable reports whether the release renders with some other content of a
// value.
func Tractable(s Subject, path []string) bool {
	return slices.ContainsFunc(others(s, path, s.Values.At(path...).Plain()), func(other any) bool { return s.with(path, other) != nil })
}

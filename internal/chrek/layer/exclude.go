package layer

import (
	"path"
	"strings"
)

// excluded reports whether a path of a layer, such as a/b, is left out: "./a" means it
// from the root, "*/a" at any depth, "*.x" by its ending.
func excluded(name string, patterns []string) bool {
	for _, pattern := range patterns {
		if rooted, ok := strings.CutPrefix(pattern, "./"); ok {
			if name == path.Clean(rooted) {
				return true
			}
			continue
		}
		if ending := strings.TrimPrefix(pattern, "*"); ending != pattern && strings.HasSuffix("/"+name, ending) {
			return true
		}
	}
	return false
}

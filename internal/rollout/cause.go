package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// imageKeys are the keys of values that make up an image.
var imageKeys = []string{"digest", "image", "imageRegistry", "registry", "repository", "tag"}

// SetBy says where the value was set that an error of the step shows, such as
// the tag of an image that does not exist; empty if none of those that a person
// wrote is in it.
func (s Step) SetBy(err error) string {
	if s.target.Values == nil || err == nil {
		return ""
	}
	text := err.Error()
	best, longest := "", 0
	for _, leaf := range fleet.Explain(s.target.Overrides, "") {
		value, ok := leaf.Value.(string)
		path := fleet.SplitPath(leaf.Path)
		if !ok || len(value) < 2 || len(value) <= longest || leaf.Origin.Shipped() || leaf.Origin.File == "" || !slices.Contains(imageKeys, path[len(path)-1]) {
			continue
		}
		if containsWord(text, value) {
			best, longest = fmt.Sprintf("%s (%s.%s)", leaf.Origin, s.target.Chart, leaf.Path), len(value)
		}
	}
	return best
}

// containsWord reports whether a part of an image's name is in a text as such a
// part, not within another word.
func containsWord(text, word string) bool {
	for {
		i := strings.Index(text, word)
		if i < 0 {
			return false
		}
		end := i + len(word)
		if (i == 0 || !partOfWord(text[i-1])) && (end == len(text) || !partOfWord(text[end])) {
			return true
		}
		text = text[end:]
	}
}

func partOfWord(c byte) bool {
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

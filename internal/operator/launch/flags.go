package launch

import (
	"fmt"
	"strconv"
	"strings"
)

// word is one of a command.
type word struct {
	text string
	// dynamic: the text is not known before the pod runs.
	dynamic bool
}

func (w word) isFlag() bool {
	if len(w.text) < 2 || w.text[0] != '-' {
		return false
	}
	_, err := strconv.ParseFloat(w.text, 64)
	return err != nil // or else it is a negative number
}

// flags are the words behind a program. A flag is known by its long name,
// without dashes; it may be written --a-b 1, --a-b=1, --a_b 1 and, where it has
// a short name, -x 1 or -x=1. The last one counts.
type flags struct{ words []word }

// find returns a flag's value, and whether the flag is there at all.
func (f flags) find(names ...string) (value word, given bool) {
	for i, w := range f.words {
		if !w.isFlag() {
			continue
		}
		name, joined, hasValue := strings.Cut(strings.TrimLeft(w.text, "-"), "=")
		if !matches(strings.ReplaceAll(name, "_", "-"), names) {
			continue
		}
		given = true
		switch {
		case hasValue:
			value = word{text: joined, dynamic: w.dynamic}
		case i+1 < len(f.words) && !f.words[i+1].isFlag():
			value = f.words[i+1]
		default:
			value = word{}
		}
	}
	return value, given
}

func matches(name string, names []string) bool {
	for _, n := range names {
		if name == n {
			return true
		}
	}
	return false
}

func (f flags) has(names ...string) bool {
	_, given := f.find(names...)
	return given
}

// number is the value of a flag that counts something, fallback without it.
func (f flags) number(fallback int64, names ...string) (int64, error) {
	value, given := f.find(names...)
	if !given {
		if hidden, is := f.hidden(); is {
			return 0, fmt.Errorf("--%s may be in %s, which is not known before the pod runs: write it out", names[0], hidden)
		}
		return fallback, nil
	}
	if value.dynamic {
		return 0, fmt.Errorf("--%s is %s, which is not known before the pod runs: write it as a number", names[0], value.text)
	}
	n, err := strconv.ParseInt(value.text, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("--%s is %q, and must be a number of at least 1", names[0], value.text)
	}
	return n, nil
}

// hidden is a word that is no flag's value, and that may be flags.
func (f flags) hidden() (string, bool) {
	for i, w := range f.words {
		if w.dynamic && !w.isFlag() && (i == 0 || !f.words[i-1].isFlag() || strings.Contains(f.words[i-1].text, "=")) {
			return w.text, true
		}
	}
	return "", false
}

// ofEachPod tells whether a flag's value is another in each pod of a group.
func (f flags) ofEachPod(name string, names Names) bool {
	value, _ := f.find(name)
	return strings.Contains(value.text, names.number)
}

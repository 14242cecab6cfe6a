package serving

import (
	"slices"
	"strconv"
	"strings"
)

// flags are the options of a command line whose full set nobody knows: every
// engine has hundreds. A word after an unknown flag counts as its value unless
// it looks like a flag itself.
type flags struct {
	values map[string]string
	used   map[string]bool
}

func parseFlags(args []string) flags {
	f := flags{values: map[string]string{}, used: map[string]bool{}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !isFlag(arg) {
			continue
		}
		name, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !joined && len(args) > 0 && !isFlag(args[0]) {
			value, args = args[0], args[1:]
		}
		f.values[name] = value
	}
	return f
}

// isFlag tells --name and -n from values, among which are negative numbers.
func isFlag(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return false
	}
	_, err := strconv.ParseFloat(arg, 64)
	return err != nil
}

// value returns the first non-empty value among alternative names.
func (f flags) value(names ...string) string {
	found := ""
	for _, name := range names {
		f.used[name] = true
		if found == "" {
			found = f.values[name]
		}
	}
	return found
}

func (f flags) has(name string) bool {
	f.used[name] = true
	_, given := f.values[name]
	return given
}

func (f flags) unused() []string {
	var names []string
	for name := range f.values {
		if !f.used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

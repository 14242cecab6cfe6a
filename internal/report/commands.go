package report

import (
	"regexp"
	"strings"
)

// suggested finds the commands of this program that messages suggest: behind a
// backtick, or behind "Next: ".
var suggested = regexp.MustCompile("(`|Next: )wheelhouse ((?:plan|apply|status|doctor|history|rollback|destroy|values|render|explain|validate|bundle (?:create|load)|deps (?:lock|pull|mirror))\\b)([^`\n]*)")

// Commands adapts the commands that messages suggest to how this run was
// called: the program's name, and flags such as -f FILE that the next run needs
// as well.
func Commands(program, flags string) func(string) string {
	return func(text string) string {
		return suggested.ReplaceAllStringFunc(text, func(found string) string {
			m := suggested.FindStringSubmatch(found)
			add := ""
			if flags != "" && !strings.Contains(m[3], " -f ") && !strings.Contains(m[3], " --plan ") {
				add = " " + flags
			}
			return m[1] + program + " " + m[2] + add + m[3]
		})
	}
}

// Quote writes an argument as a shell reads it.
func Quote(argument string) string {
	if argument != "" && !strings.ContainsFunc(argument, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,", r)
	}) {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

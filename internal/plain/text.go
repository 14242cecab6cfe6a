// Package plain makes text from outside fit to be read: in a status, an event,
// a log or a terminal.
package plain

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Cut shortens what is longer than limit characters, with an ellipsis.
func Cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// Text shows what cannot be printed as Go's escapes, such as \x1b, \n or
// \u202e, and cuts what is longer than limit characters, with an ellipsis.
func Text(text string, limit int) string {
	var out strings.Builder
	length := 0
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		shown := rest[:size]
		if r == utf8.RuneError && size == 1 || !strconv.IsPrint(r) {
			quoted := strconv.Quote(shown)
			shown = quoted[1 : len(quoted)-1]
		}
		if length += utf8.RuneCountInString(shown); length >= limit && (length > limit || len(rest) > size) {
			return out.String() + "…"
		}
		out.WriteString(shown)
		rest = rest[size:]
	}
	return out.String()
}

package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Door is a stream to people: what came from outside leaves it without anything
// that steers a terminal or turns the direction of text, and commands in it are
// as this run was called.
type Door struct {
	to io.Writer
	// commands adapts the commands that messages suggest; may be nil.
	commands func(string) string
}

// NewDoor opens a door to w. Commands may be nil.
func NewDoor(w io.Writer, commands func(string) string) *Door {
	return &Door{to: w, commands: commands}
}

// Write writes whole messages: no rune and no command is cut in two.
func (d *Door) Write(p []byte) (int, error) {
	text := string(p)
	if d.commands != nil {
		text = d.commands(text)
	}
	if _, err := io.WriteString(d.to, Clean(text)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bare is the stream behind a door, for what draws on a terminal itself.
func bare(stream any) any {
	if d, ok := stream.(*Door); ok {
		return d.to
	}
	return stream
}

// Bare is the stream behind a door.
func Bare(w io.Writer) io.Writer {
	if d, ok := w.(*Door); ok {
		return d.to
	}
	return w
}

// Clean writes out what would steer a terminal (control characters but the line
// feed and the tab) or change the direction of text, as \x1b or \u202e.
func Clean(text string) string {
	if !strings.ContainsFunc(text, steers) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && text[i] != "\uFFFD"[0]:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !steers(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// oneLine makes a text from outside fit into one line of at most so many runes.
func oneLine(text string, longest int) string {
	runes := []rune(Clean(strings.Join(strings.Fields(text), " ")))
	if len(runes) <= longest {
		return string(runes)
	}
	return string(runes[:longest-1]) + "…"
}

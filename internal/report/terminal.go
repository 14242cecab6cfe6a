package report

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// IsTerminal reports whether a stream, read or written, is a person's.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// redraws reports whether what was written to w can be written over.
func redraws(w io.Writer) bool { return IsTerminal(w) && os.Getenv("TERM") != "dumb" }

// dims reports whether w may be written to in colour (https://no-color.org).
func dims(w io.Writer) bool { return redraws(w) && os.Getenv("NO_COLOR") == "" }

// screenSize is how much a terminal shows, in cells.
func screenSize(w io.Writer) (width, height int) {
	if file, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// fit makes a text one line that ends before the last cell of a screen, where
// some terminals wrap already. What would move the cursor becomes a space.
func fit(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return runewidth.Truncate(text, width-1, "…")
}

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
	file, ok := bare(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// redraws reports whether what was written to w can be written over.
func redraws(w io.Writer) bool { return IsTerminal(w) && os.Getenv("TERM") != "dumb" }

// dims reports whether w may be written to in colour (https://no-color.org).
func dims(w io.Writer) bool { return redraws(w) && os.Getenv("NO_COLOR") == "" }

// screenSize is how much a terminal shows, in cells.
func screenSize(w io.Writer) (width, height int) {
	if file, ok := bare(w).(*os.File); ok {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// Screen is a stream of a fixed width, in cells.
type Screen struct {
	io.Writer
	Width int
}

// columns is how wide lines may be; 0 where nobody counts.
func columns(w io.Writer) int {
	w = Bare(w)
	if screen, ok := w.(Screen); ok {
		return screen.Width
	}
	if !IsTerminal(w) {
		return 0
	}
	width, _ := screenSize(w)
	return width
}

// uncut is where rows are printed whole, however wide the screen is, if that is
// asked for.
func uncut(w io.Writer, wide bool) io.Writer {
	if wide {
		return Screen{Writer: w}
	}
	return w
}

// fit makes a text one line that ends before the last cell of a screen, where
// some terminals wrap already. What would move the cursor becomes a space.
func fit(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
	return runewidth.Truncate(text, width-1, "…")
}

// wrap breaks prose at spaces into lines that a screen has room for; further
// lines are indented.
func wrap(w io.Writer, text string) string {
	width := columns(w)
	if width == 0 || runewidth.StringWidth(text) < width {
		return text
	}
	var out []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) >= width {
			out = append(out, line)
			line = "  " + word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(out, line), "\n")
}

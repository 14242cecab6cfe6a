package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// screen draws as terminals do what our programs use of them: text that wraps,
// and the sequences that move the cursor, clear, and set colours.
type screen struct {
	columns, rows int
	// lines are all, those that have scrolled off included; the last rows of
	// them can be reached by the cursor.
	lines   [][]rune
	row, at int
	rest    []byte
}

func newScreen(columns, rows int) *screen {
	return &screen{columns: columns, rows: rows, lines: make([][]rune, 1)}
}

// top is the first line that the cursor can reach.
func (s *screen) top() int { return max(0, len(s.lines)-s.rows) }

func (s *screen) write(data []byte) {
	s.rest = append(s.rest, data...)
	for len(s.rest) > 0 {
		n := s.next()
		if n == 0 {
			return
		}
		s.rest = s.rest[n:]
	}
}

// next draws the first character or sequence of the rest and returns its
// length; 0 if it is not all there yet.
func (s *screen) next() int {
	if s.rest[0] == '\x1b' {
		return s.sequence()
	}
	if !utf8.FullRune(s.rest) {
		return 0
	}
	r, n := utf8.DecodeRune(s.rest)
	switch r {
	case '\r':
		s.at = 0
	case '\n':
		s.down()
	case '\a':
	default:
		s.put(r)
	}
	return n
}

func (s *screen) down() {
	s.row++
	if s.row == len(s.lines) {
		s.lines = append(s.lines, nil)
	}
}

func (s *screen) put(r rune) {
	width := runewidth.RuneWidth(r)
	if s.at+width > s.columns {
		s.at = 0
		s.down()
	}
	line := s.lines[s.row]
	for len(line) < s.at+width {
		line = append(line, ' ')
	}
	for i := range width {
		line[s.at+i] = 0
	}
	if width > 0 {
		line[s.at] = r
	}
	s.lines[s.row], s.at = line, s.at+width
}

// sequence obeys ESC [ NUMBER LETTER; any other is a mistake in a test or in
// the program, which the screen then shows.
func (s *screen) sequence() int {
	for i := 2; i < len(s.rest); i++ {
		if s.rest[i] < '@' {
			continue
		}
		number, err := strconv.Atoi(string(s.rest[2:i]))
		if err != nil {
			number = 0
		}
		if s.rest[1] != '[' || !s.obey(s.rest[i], number) {
			for _, r := range fmt.Sprintf("%q", s.rest[:i+1]) {
				s.put(r)
			}
		}
		return i + 1
	}
	return 0
}

func (s *screen) obey(letter byte, number int) bool {
	switch letter {
	case 'A':
		s.row = max(s.top(), s.row-number)
	case 'H':
		s.row, s.at = s.top(), 0
	case 'J':
		if number == 2 {
			s.clear(s.top(), 0)
		} else {
			s.clear(s.row, s.at)
		}
	case 'K':
		s.lines[s.row] = s.lines[s.row][:min(s.at, len(s.lines[s.row]))]
	case 'm':
	default:
		return false
	}
	return true
}

// clear clears from a cell to the end.
func (s *screen) clear(row, at int) {
	s.lines[row] = s.lines[row][:min(at, len(s.lines[row]))]
	for i := row + 1; i < len(s.lines); i++ {
		s.lines[i] = nil
	}
}

func (s *screen) String() string {
	var lines []string
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(strings.ReplaceAll(string(line), "\x00", ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

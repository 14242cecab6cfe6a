package plain

import "testing"

func TestText(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"as it is":          {"Größe: 4 GiB, 東京", 100, "Größe: 4 GiB, 東京"},
		"terminal":          {"a\x1b]52;c;eA==\x07b", 100, `a\x1b]52;c;eA==\ab`},
		"C1 control":        {"a\u009bb", 100, `a\u009bb`},
		"lines":             {"a\n---\r\tb\u2028c", 100, `a\n---\r\tb\u2028c`},
		"nothing":           {"a\x00b", 100, `a\x00b`},
		"right to left":     {"exe\u202egnp", 100, `exe\u202egnp`},
		"not UTF-8":         {"a\xffb", 100, `a\xffb`},
		"replaced before":   {"a\ufffdb", 100, "a\ufffdb"},
		"just short enough": {"abcde", 5, "abcde"},
		"too long":          {"abcdef", 5, "abcd…"},
		"no half escape":    {"abcd\x1b", 5, "abcd…"},
		"empty":             {"", 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Text(tc.text, tc.limit); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

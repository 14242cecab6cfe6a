package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	codeBlock = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	comment   = regexp.MustCompile(`(?m) +# .*$`)
	link      = regexp.MustCompile(`\]\(([^)]+)\)`)
	code      = regexp.MustCompile("`[^`\n]+`")
)

// A page in Chinese has the commands, the output and the links of the English one,
// so that what is tested of that holds for both.
func TestTranslationsShowTheSameCommands(t *testing.T) {
	read := func(name, other string) (blocks, links, spans []string) {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			blocks = append(blocks, comment.ReplaceAllString(block[1], ""))
		}
		prose := codeBlock.ReplaceAllString(string(text), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if m[1] != other {
				// A page in Chinese may link others in Chinese.
				links = append(links, strings.ReplaceAll(m[1], ".zh-CN.md", ".md"))
			}
		}
		for _, span := range code.FindAllString(prose, -1) {
			if strings.ContainsAny(span, "abcdefghijklmnopqrstuvwxyz") {
				spans = append(spans, span)
			}
		}
		slices.Sort(links)
		slices.Sort(spans)
		return blocks, links, slices.Compact(spans)
	}
	for _, page := range []string{"README", "docs/guides/tasks"} {
		english, chinese := page+".md", page+".zh-CN.md"
		blocks, links, spans := read(english, filepath.Base(chinese))
		zhBlocks, zhLinks, zhSpans := read(chinese, filepath.Base(english))
		if diff := cmp.Diff(blocks, zhBlocks); diff != "" {
			t.Errorf("%s: commands and output (-English +Chinese):\n%s", chinese, diff)
		}
		if diff := cmp.Diff(links, zhLinks); diff != "" {
			t.Errorf("%s: links (-English +Chinese):\n%s", chinese, diff)
		}
		if diff := cmp.Diff(spans, zhSpans); diff != "" {
			t.Errorf("%s: names in the text (-English +Chinese):\n%s", chinese, diff)
		}
	}
}

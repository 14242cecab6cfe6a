package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A command that a message or a page suggests is one that works when it is
// typed: each is found in the sources and read by the real command line.
func TestEverySuggestedCommandIsOne(t *testing.T) {
	found := map[string]string{}
	for _, root := range []string{"../../cmd", "../../internal"} {
		for place, text := range literals(t, root) {
			collect(found, place, text)
		}
	}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/*/*.md", "../../README.md", "../../demo/*.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			data, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			collect(found, page, string(data))
		}
	}
	if len(found) < 30 {
		t.Fatalf("only %d suggestions were found; the search is broken", len(found))
	}
	for command, place := range found {
		if err := understood(command); err != nil {
			t.Errorf("%s suggests `wheelhouse %s`: %v", place, command, err)
		}
	}
}

// Commands are suggested between backticks, where prose may break them, behind
// "Next: ", and, in pages, at the start of a line.
var (
	inProse = regexp.MustCompile("`wheelhouse ([a-z][^`|;&>…]*)")
	onLines = regexp.MustCompile("(?m)(?:Next: |^\\$? ?(?:bin/)?)wheelhouse ([a-z][^`#|;&>\n…]*)")
)

func collect(found map[string]string, place, text string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, m := range append(inProse.FindAllStringSubmatch(text, -1), onLines.FindAllStringSubmatch(text, -1)...) {
		found[strings.Join(strings.Fields(m[1]), " ")] = place
	}
}

var (
	placeholder = regexp.MustCompile(`%[+#]?[a-zA-Z]|<[^>]*>|\[[^]]*\]`)
	quoted      = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// understood reads a command up to where it would run.
func understood(command string) error {
	var args []string
	for _, word := range quoted.FindAllString(placeholder.ReplaceAllString(command, "1"), -1) {
		word = strings.Trim(word, `'"`)
		if strings.ToUpper(word) == word && !strings.HasPrefix(word, "-") {
			word = "1" // FILE, N: what a person fills in.
		}
		args = append(args, word)
	}
	root := newRoot(nil, strings.NewReader(""), io.Discard, io.Discard)
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return c.FlagErrorFunc()(c, err)
	}
	return validArgs(c)
}

func validArgs(c *cobra.Command) error {
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	return c.ValidateFlagGroups()
}

// literals are the texts in Go sources that are no tests, by place.
func literals(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(text, "wheelhouse ") {
				out[files.Position(literal.Pos()).String()] = text
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

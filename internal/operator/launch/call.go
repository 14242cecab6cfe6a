package launch

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// call is the one call of an engine in a container's command.
type call struct {
	// flags are the words behind the engine's module, and program all up to it.
	flags   flags
	program []word
	// exports are the variables that the line of a shell sets for the call.
	exports []string
	// edit makes the container's command of a change of the call.
	edit func(edit) Command
}

// edit is a change of an engine's call. Its texts are shell text in which no
// word needs quotes.
type edit struct {
	// before has to succeed first.
	before string
	// under is the program that runs the engine, with its arguments.
	under string
	// flags are added at the end.
	flags []string
	// instead takes the call's place.
	instead string
}

func (e edit) needsShell() bool {
	return e.before != "" || e.under != "" || e.instead != "" || slices.ContainsFunc(e.flags, func(word string) bool { return strings.HasPrefix(word, "$((") })
}

// around is the shell text of the changed call of a program; how is what stands
// before that, with the space.
func (e edit) around(how, program string) string {
	if e.instead != "" {
		return e.instead
	}
	if e.under != "" {
		program = e.under + " " + program
	}
	words := append([]string{how + program}, e.flags...)
	if e.before != "" {
		words = append([]string{e.before, "&&"}, words...)
	}
	return strings.Join(words, " ")
}

var (
	interpreter = regexp.MustCompile(`^python[0-9.]*$`)
	shellName   = regexp.MustCompile(`^(ba|da|a|z|k)?sh$`)
)

// find looks for the call of an engine.
func find(engine string, names Names, given Command) (*call, error) {
	words := slices.Concat(given.Command, given.Args)
	if at := lineOf(words); at > 0 {
		return findInLine(engine, names, words, at)
	}
	literal := make([]word, len(words))
	for i, text := range words {
		literal[i] = word{text: text, dynamic: strings.Contains(text, "$(")}
	}
	behind := behindModule(engine, literal)
	if behind < 0 {
		return nil, notFound(engine, names)
	}
	return &call{flags: flags{words: literal[behind:]}, program: literal[:behind], edit: func(e edit) Command {
		switch {
		case e.needsShell():
			return Command{Command: []string{"/bin/sh", "-c", e.around("exec ", `"$@"`)}, Args: arguments(e, words)}
		case len(e.flags) == 0:
			return given
		}
		return Command{Command: given.Command, Args: slices.Concat(given.Args, e.flags)}
	}}, nil
}

// arguments of a shell that runs words as "$@"; none if it does not.
func arguments(e edit, words []string) []string {
	if e.instead != "" {
		return nil
	}
	return append([]string{"sh"}, words...)
}

func notFound(engine string, names Names) error {
	return fmt.Errorf("the command does not itself call python3 -m dynamo.%s, so its flags for several nodes cannot be added: "+
		"call it in the command or in the line of a shell, not in a script, or set no backendFramework and start each pod by %s", engine, names.variables())
}

// lineOf is where the line of a shell is among the words, 0 if they run none.
func lineOf(words []string) int {
	if len(words) == 0 || !shellName.MatchString(path.Base(words[0])) {
		return 0
	}
	for i := 1; i+1 < len(words) && strings.HasPrefix(words[i], "-"); i++ {
		if strings.HasPrefix(words[i], "--") {
			continue
		}
		if strings.Contains(words[i], "c") {
			return i + 1
		}
		if strings.HasSuffix(words[i], "o") {
			i++ // the name of an option
		}
	}
	return 0
}

// findInLine looks for the call in a line of shell text.
func findInLine(engine string, names Names, words []string, at int) (*call, error) {
	line := words[at]
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, fmt.Errorf("the line of the shell cannot be read: %w", err)
	}
	var found []*syntax.CallExpr
	var all []word
	var behind int
	var exports []string
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.DeclClause:
			exports = append(exports, exported(node)...)
		case *syntax.CallExpr:
			words := wordsOf(line, node)
			if i := behindModule(engine, words); i >= 0 {
				found, all, behind = append(found, node), words, i
			}
		}
		return true
	})
	switch {
	case len(found) == 0:
		return nil, notFound(engine, names)
	case len(found) > 1:
		return nil, fmt.Errorf("the line of the shell calls dynamo.%s %d times, and a group has one engine: call it once", engine, len(found))
	}
	expr := found[0]
	for _, assigned := range expr.Assigns {
		exports = append(exports, assigned.Name.Value)
	}
	from, to := expr.Pos().Offset(), expr.End().Offset()
	program := expr.Args[programIn(all)].Pos().Offset()
	return &call{flags: flags{words: all[behind:]}, program: all[:behind], exports: exports, edit: func(e edit) Command {
		if !e.needsShell() && len(e.flags) == 0 {
			return Command{Command: words[:at], Args: words[at:]}
		}
		text := e.around(line[from:program], line[program:to])
		if e.before != "" || e.instead != "" {
			text = "{ " + text + "; }"
		}
		changed := line[:from] + text + line[to:]
		return Command{Command: words[:at], Args: append([]string{changed}, words[at+1:]...)}
	}}, nil
}

// programIn is the index of the program in a call, which a shell may be told to
// become.
func programIn(words []word) int {
	if len(words) > 1 && words[0].text == "exec" && !words[0].dynamic && !strings.HasPrefix(words[1].text, "-") {
		return 1
	}
	return 0
}

// exported are the variables that a declaration makes part of the environment.
func exported(clause *syntax.DeclClause) (names []string) {
	if clause.Variant.Value != "export" {
		return nil
	}
	for _, assigned := range clause.Args {
		if assigned.Name != nil {
			names = append(names, assigned.Name.Value)
		}
	}
	return names
}

func wordsOf(line string, expr *syntax.CallExpr) []word {
	words := make([]word, len(expr.Args))
	for i, arg := range expr.Args {
		text, plain := literalOf(arg.Parts)
		if !plain {
			text = line[arg.Pos().Offset():arg.End().Offset()]
		}
		words[i] = word{text: text, dynamic: !plain}
	}
	return words
}

// literalOf is the value of a word that no variable and no command changes.
func literalOf(parts []syntax.WordPart) (string, bool) {
	var text strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			text.WriteString(unescape(p.Value))
		case *syntax.SglQuoted:
			if p.Dollar {
				return "", false
			}
			text.WriteString(p.Value)
		case *syntax.DblQuoted:
			inner, plain := literalOf(p.Parts)
			if !plain {
				return "", false
			}
			text.WriteString(inner)
		default:
			return "", false
		}
	}
	return text.String(), true
}

var escaped = regexp.MustCompile(`\\(\n|.)`)

func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(pair string) string {
		return strings.TrimPrefix(pair[1:], "\n")
	})
}

// behindModule is the index of the first word behind -m dynamo.ENGINE of a
// Python interpreter, -1 where there is none.
func behindModule(engine string, words []word) int {
	python := slices.IndexFunc(words, func(w word) bool { return !w.dynamic && interpreter.MatchString(path.Base(w.text)) })
	if python < 0 {
		return -1
	}
	for i := python + 1; i+1 < len(words); i++ {
		if words[i].text == "-m" {
			if words[i+1].text == "dynamo."+engine {
				return i + 2
			}
			return -1
		}
	}
	return -1
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// key is one key of a values file with what its comment says.
type key struct {
	// path is empty for the file as a whole.
	path  []string
	value *yaml.Node
	line  int
	// prose describes the key; it is one line.
	prose string
	notes []note
	// children are the keys below, if the value is a mapping.
	children []*key
	// subchart holds the values of the chart that the key configures, if it has the note @subchart.
	subchart *key
}

// note is an annotation: a line of a comment that starts with @NAME. Further
// lines belong to it while they are indented deeper.
type note struct{ name, argument string }

func (k *key) String() string {
	if len(k.path) == 0 {
		return "the file's first comment"
	}
	return fmt.Sprintf("line %d: %s", k.line, strings.Join(k.path, "."))
}

// argument returns what the first note of the name says.
func (k *key) argument(name string) (string, bool) {
	for _, n := range k.notes {
		if n.name == name {
			return n.argument, true
		}
	}
	return "", false
}

// all lists the key and every key below it, in the order of the file.
func (k *key) all() []*key {
	out := []*key{k}
	for _, child := range k.children {
		out = append(out, child.all()...)
	}
	return out
}

// readValues reads a values file with its comments.
func readValues(file string) (*key, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values, err := parseValues(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return values, nil
}

func parseValues(data []byte) (*key, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a mapping")
	}
	root := &key{value: document.Content[0]}
	if err := root.comment(document.HeadComment, root.value.HeadComment); err != nil {
		return nil, err
	}
	return root, root.descend()
}

// descend reads the keys of a mapping.
func (k *key) descend() error {
	for i := 0; k.value.Kind == yaml.MappingNode && i < len(k.value.Content); i += 2 {
		name, value := k.value.Content[i], k.value.Content[i+1]
		child := &key{path: append(k.path[:len(k.path):len(k.path)], name.Value), value: value, line: name.Line}
		if err := child.comment(lastParagraph(name.HeadComment), name.LineComment, value.LineComment); err != nil {
			return fmt.Errorf("%s: %w", child, err)
		}
		if err := child.descend(); err != nil {
			return err
		}
		k.children = append(k.children, child)
	}
	return nil
}

// lastParagraph is the comment that belongs to a key: what stands above an
// empty line is about the section before.
func lastParagraph(comment string) string {
	return comment[strings.LastIndex(comment, "\n\n")+1:]
}

// noteNames are the annotations that exist; CONTRIBUTING.md describes them.
var noteNames = []string{"schema", "refuse", "removed", "alias", "subchart"}

// comment splits comments into prose and notes.
func (k *key) comment(comments ...string) error {
	var prose []string
	inNote := false
	for line := range strings.Lines(strings.Join(comments, "\n")) {
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimRight(line, "\n"), "#"), " ")
		text := strings.TrimSpace(line)
		before, after, found := strings.Cut(" "+text, " @")
		switch {
		case found:
			name, argument, _ := strings.Cut(after, " ")
			if !slices.Contains(noteNames, name) {
				return fmt.Errorf("unknown annotation @%s; known are: %s", name, strings.Join(noteNames, ", "))
			}
			k.notes = append(k.notes, note{name, strings.TrimSpace(argument)})
			inNote = true
			text = strings.TrimSpace(before)
		case inNote && strings.HasPrefix(line, "   "):
			last := &k.notes[len(k.notes)-1]
			last.argument += " " + text
			continue
		default:
			inNote = false
		}
		if text != "" {
			prose = append(prose, text)
		}
	}
	k.prose = strings.Join(prose, " ")
	return nil
}

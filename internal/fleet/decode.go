package fleet

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Parse decodes a fleet file strictly: an unknown or misplaced field is a
// problem with file:line:column and, where one is close, a suggestion.
func Parse(file string, data []byte) (*Fleet, error) {
	documents, err := parseDocuments(file, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: file}
	f := &Fleet{Path: file, History: DefaultHistory, Charts: map[string]Located[string]{}}
	f.CRDs.Namespace.Value = "default"
	switch len(documents) {
	case 0:
		d.problems = Problems{{Origin: Origin{File: file, Line: 1, Column: 1}, Message: "the file is empty", Fix: "see `wheelhouse init`"}}
	case 1:
		d.fleet(documents[0], f)
	default:
		d.fail(documents[1], "a fleet file holds one document, this is the second")
	}
	return f, d.problems.orNil()
}

// parsePlatforms decodes a file of platformsFrom: each document is one platform.
func parsePlatforms(file string, data []byte) ([]Platform, error) {
	documents, err := parseDocuments(file, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: file}
	var out []Platform
	for _, document := range documents {
		out = append(out, d.platform(document, ""))
	}
	return out, d.problems.orNil()
}

// decoder collects problems while it walks a document.
type decoder struct {
	file     string
	problems Problems
}

func (d *decoder) origin(n *yaml.Node) Origin {
	return Origin{File: d.file, Line: n.Line, Column: n.Column}
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{Origin: d.origin(n), Message: fmt.Sprintf(format, args...)})
}

// fields maps the name of a field to what reads its value.
type fields map[string]func(n *yaml.Node)

// object reads a mapping at a path ("spec.shared"; "" at the top) strictly.
func (d *decoder) object(n *yaml.Node, path string, known fields, required ...string) {
	n = resolveAlias(n)
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping, found %s", orTop(path), describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case path == "" && extension(key.Value):
		case !ok:
			d.unknownField(key, path, slices.Sorted(maps.Keys(known)))
		case seen[key.Value]:
			d.fail(key, "field %q is given twice", key.Value)
		default:
			seen[key.Value] = true
			read(resolveAlias(value))
		}
	}
	for _, name := range required {
		if !seen[name] {
			d.fail(n, "%s needs the field %q", orTop(path), name)
		}
	}
}

// extension reports whether a top-level key is for the author alone, to hold
// anchors: as in Compose files, such keys begin with x-.
func extension(key string) bool { return strings.HasPrefix(key, "x-") }

func (d *decoder) unknownField(key *yaml.Node, path string, known []string) {
	p := Problem{Origin: d.origin(key), Message: fmt.Sprintf("unknown field %q in %s", key.Value, orTop(path))}
	if meant := spelling.Closest(key.Value, known); meant != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", meant)
	} else if key.Value == SOPSKey && path == "" {
		p.Fix = "SOPS may encrypt values files only: put the values into one and name it under values"
	} else {
		p.Fix = fmt.Sprintf("known fields: %s", join(known))
	}
	d.problems = append(d.problems, p)
}

// list reads a sequence, item by item.
func (d *decoder) list(n *yaml.Node, path string, read func(item *yaml.Node, path string)) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "%s must be a list, found %s", path, describe(n))
		return
	}
	for i, item := range n.Content {
		read(resolveAlias(item), fmt.Sprintf("%s[%d]", path, i))
	}
}

// text reads a string that is not empty.
func (d *decoder) text(n *yaml.Node, path string) Located[string] {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		d.fail(n, "%s must be a text, found %s", path, describe(n))
		return Located[string]{Origin: d.origin(n)}
	}
	if why := shape(n.Value); why != "" {
		d.fail(n, "%s looks like %s; a fleet file is no place for credentials: leave them to the machine's configuration, or name a Secret", path, why)
		return Located[string]{Origin: d.origin(n)}
	}
	return Located[string]{Value: n.Value, Origin: d.origin(n)}
}

// boolean reads true or false, in any of YAML's spellings.
func (d *decoder) boolean(n *yaml.Node, path string) Located[bool] {
	var value bool
	if n.Kind == yaml.ScalarNode {
		if leaf, err := scalar(n); err == nil {
			var ok bool
			if value, ok = leaf.(bool); ok {
				return Located[bool]{Value: value, Origin: d.origin(n)}
			}
		}
	}
	d.fail(n, "%s must be true or false, found %s", path, describe(n))
	return Located[bool]{Origin: d.origin(n)}
}

// form is what a name looks like and how long it may be. A pattern that counts
// would take longer to compile than everything else at the start.
type form struct {
	longest int
	pattern *regexp.Regexp
}

var (
	dnsLabel   = form{63, regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)}
	helmName   = form{53, regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)}
	labelText  = form{63, regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)}
	objectName = form{253, helmName.pattern}
)

func (f form) matches(text string) bool { return len(text) <= f.longest && f.pattern.MatchString(text) }

// matching reads a text that has a form; says names the form for the message.
func (d *decoder) matching(n *yaml.Node, path string, form form, says string) Located[string] {
	t := d.text(n, path)
	if t.Value != "" && !form.matches(t.Value) {
		d.fail(n, "%s %q is not %s", path, t.Value, says)
	}
	return t
}

// oneOf reads a text out of a small set.
func (d *decoder) oneOf(n *yaml.Node, path string, allowed ...string) Located[string] {
	t := d.text(n, path)
	if t.Value == "" || slices.Contains(allowed, t.Value) {
		return t
	}
	p := Problem{Origin: t.Origin, Message: fmt.Sprintf("%s is %q; it must be one of: %s", path, t.Value, join(allowed))}
	if meant := spelling.Closest(t.Value, allowed); meant != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", meant)
	}
	d.problems = append(d.problems, p)
	return t
}

// values reads inline values or the name of a values file.
func (d *decoder) values(n *yaml.Node, path string, layer Layer) ValuesSource {
	if n.Kind == yaml.ScalarNode {
		file := d.text(n, path)
		return ValuesSource{File: file.Value, Origin: file.Origin}
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be the path of a values file or a mapping of values, found %s", path, describe(n))
		return ValuesSource{}
	}
	c := converter{file: d.file, layer: layer}
	v := c.convert(n, 0)
	d.problems = append(d.problems, c.problems...)
	d.problems = append(d.problems, unknownCharts(v)...)
	return ValuesSource{Inline: v, Origin: d.origin(n)}
}

// valuesList reads a list of values sources, or one mapping of inline values.
func (d *decoder) valuesList(n *yaml.Node, path string, layer Layer) []ValuesSource {
	if n.Kind == yaml.MappingNode {
		return []ValuesSource{d.values(n, path, layer)}
	}
	var out []ValuesSource
	d.list(n, path, func(item *yaml.Node, path string) { out = append(out, d.values(item, path, layer)) })
	return out
}

// unknownCharts reports top keys that name no chart, or hold no values for one:
// values are keyed by chart.
func unknownCharts(v *Value) Problems {
	var problems Problems
	for _, key := range v.Keys() {
		if extension(key) {
			continue
		}
		if slices.Contains(ChartKeys, key) {
			if field := v.Fields[key]; field.Kind != Map && !field.IsNull() {
				problems = append(problems, Problem{Origin: field.Origin, Message: fmt.Sprintf("the values of chart %q must be a mapping", key)})
			}
			continue
		}
		p := Problem{
			Origin:  v.Fields[key].Origin,
			Message: fmt.Sprintf("unknown chart %q; values are keyed by chart: %s", key, join(ChartKeys)),
		}
		if meant := spelling.Closest(key, ChartKeys); meant != "" {
			p.Fix = fmt.Sprintf("did you mean %q?", meant)
		}
		problems = append(problems, p)
	}
	return problems
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func orTop(path string) string {
	if path == "" {
		return "the document"
	}
	return path
}

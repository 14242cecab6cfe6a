package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may expand to, so that a small file cannot
// become a huge tree.
const maxNodes = 1_000_000

// ParseValues reads YAML values. Several documents are merged in order, as
// Helm does. An empty file is an empty map.
func ParseValues(file string, layer Layer, data []byte) (*Value, error) {
	documents, err := parseDocuments(file, data)
	if err != nil {
		return nil, err
	}
	return mergeDocuments(file, layer, documents, nil)
}

// mergeDocuments turns the documents of a file into values; sealed holds the
// leaves that were encrypted.
func mergeDocuments(file string, layer Layer, documents []*yaml.Node, sealed map[*yaml.Node]string) (*Value, error) {
	out := NewMap(Origin{File: file, Line: 1, Column: 1, Layer: layer})
	for _, document := range documents {
		c := converter{file: file, layer: layer, sealed: sealed}
		v := c.convert(document, 0)
		if v.Kind != Map && !v.IsNull() {
			c.fail(document, "expected a mapping of values, found %s", describe(document))
		}
		if len(c.problems) > 0 {
			return nil, c.problems
		}
		if v.Kind == Map {
			out = Merge(out, v)
		}
	}
	return out, nil
}

// parseDocuments returns the root node of each YAML document.
func parseDocuments(file string, data []byte) ([]*yaml.Node, error) {
	var roots []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, syntaxProblem(file, err)
		}
		if len(document.Content) == 1 {
			roots = append(roots, document.Content[0])
		}
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// syntaxProblem turns the YAML library's message into file:line:column.
func syntaxProblem(file string, err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	origin := Origin{File: file, Line: 1, Column: 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		origin.Line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	return Problems{{Origin: origin, Message: "not valid YAML: " + message}}
}

// converter turns YAML nodes into values and collects every problem.
type converter struct {
	file  string
	layer Layer
	// sealed are the leaves that were encrypted, with the text that stood there.
	sealed   map[*yaml.Node]string
	nodes    int
	problems Problems
}

func (c *converter) origin(n *yaml.Node) Origin {
	return Origin{File: c.file, Line: n.Line, Column: n.Column, Layer: c.layer}
}

func (c *converter) fail(n *yaml.Node, format string, args ...any) {
	c.problems = append(c.problems, Problem{Origin: c.origin(n), Message: fmt.Sprintf(format, args...)})
}

func (c *converter) convert(n *yaml.Node, depth int) *Value {
	null := NewScalar(nil, c.origin(n))
	if c.nodes++; c.nodes > maxNodes || depth > 100 {
		if len(c.problems) == 0 {
			c.fail(n, "too deeply nested or too many aliases")
		}
		return null
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.convert(n.Alias, depth+1)
	case yaml.MappingNode:
		return c.convertMap(n, depth)
	case yaml.SequenceNode:
		out := &Value{Kind: List, Origin: c.origin(n), Items: make([]*Value, 0, len(n.Content))}
		for _, item := range n.Content {
			value := c.convert(item, depth+1)
			value.Vouched = vouched(item)
			out.Items = append(out.Items, value)
		}
		return out
	case yaml.ScalarNode:
		leaf, err := scalar(n)
		if err != nil {
			c.fail(n, "%v", err)
		}
		v := NewScalar(leaf, c.origin(n))
		v.Sealed = c.sealed[n]
		return v
	default:
		return null
	}
}

func (c *converter) convertMap(n *yaml.Node, depth int) *Value {
	own, merged := NewMap(c.origin(n)), NewMap(c.origin(n))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = Merge(c.mergeKey(value, depth), merged)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			c.fail(key, "a key must be a plain word")
			continue
		}
		if _, taken := own.Fields[key.Value]; taken {
			c.fail(key, "key %q is given twice", key.Value)
			continue
		}
		field := c.convert(value, depth+1)
		field.Origin = c.origin(key)
		field.Vouched = vouched(key, value)
		own.Fields[key.Value] = field
	}
	if len(merged.Fields) == 0 {
		return own
	}
	for key, field := range merged.Fields {
		if _, taken := own.Fields[key]; !taken {
			own.Fields[key] = field
		}
	}
	return own
}

// vouched looks for the comment by which a person calls a value no credential.
func vouched(nodes ...*yaml.Node) bool {
	for _, n := range nodes {
		if strings.Contains(n.LineComment+n.HeadComment, NoCredential) {
			return true
		}
	}
	return false
}

// mergeKey resolves the right-hand side of "<<": a map or a list of maps, of
// which the first wins.
func (c *converter) mergeKey(n *yaml.Node, depth int) *Value {
	v := c.convert(n, depth+1)
	switch v.Kind {
	case Map:
		return v
	case List:
		out := NewMap(v.Origin)
		for i := len(v.Items) - 1; i >= 0; i-- {
			out = Merge(out, v.Items[i])
		}
		return out
	default:
		c.fail(n, "the merge key << needs a mapping")
		return NewMap(v.Origin)
	}
}

// scalar reads a leaf as Helm does: YAML 1.1 booleans, every number a float64.
func scalar(n *yaml.Node) (any, error) {
	if n.Style == 0 {
		switch n.Value {
		case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
			return true, nil
		case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
			return false, nil
		}
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err != nil {
			return nil, fmt.Errorf("%q is not a number", n.Value)
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%s cannot be a chart value", n.Value)
		}
		return f, nil
	case "!!binary":
		return nil, errors.New("binary values are not supported; write the text or base64 as a string")
	default:
		return n.Value, nil
	}
}

// describe names a node for "expected X, found Y".
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.Kind == yaml.ScalarNode:
		return strconv.Quote(n.Value)
	default:
		return "an alias"
	}
}

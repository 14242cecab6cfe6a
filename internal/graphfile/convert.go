package graphfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

var separator = regexp.MustCompile(`(?m)^---(?:[ \t].*)?\n?`)

// Versions are those of the API, the one of today's guides first.
func Versions() []string {
	return []string{v1beta1.GroupVersion.Version, v1alpha1.GroupVersion.Version}
}

// Convert writes the objects of a file in one of the versions of the API.
// Other objects, and comments between documents, stay byte for byte; in what is converted, comments and
// order are kept where their fields are still there. The notes say what only the other version can say.
func Convert(file string, data []byte, version string) (converted []byte, notes []string, err error) {
	version = v1alpha1.GroupName + "/" + version
	var out bytes.Buffer
	begin := 0
	for _, end := range append(separator.FindAllIndex(data, -1), []int{len(data), len(data)}) {
		document, note, err := convertDocument(data[begin:end[0]], version)
		if err != nil {
			return nil, nil, fmt.Errorf("convert %s: %w", file, err)
		}
		out.Write(document)
		out.Write(data[end[0]:end[1]])
		begin = end[1]
		if note != "" {
			notes = append(notes, file+": "+note)
		}
	}
	return out.Bytes(), notes, nil
}

// head is what a document says of itself.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

// headOf is empty for what is no object.
func headOf(asJSON []byte) (h head) {
	if json.Unmarshal(asJSON, &h) != nil {
		return head{}
	}
	return h
}

func convertDocument(text []byte, version string) (converted []byte, note string, err error) {
	var old yaml.Node
	if err := yaml.Unmarshal(text, &old); err != nil {
		return nil, "", err
	}
	asJSON, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return nil, "", err
	}
	meta := headOf(asJSON)
	if meta.APIVersion == version || !conversion.Converts(meta.APIVersion, meta.Kind) {
		return text, "", nil
	}
	object, err := conversion.Object(asJSON, version)
	if err != nil {
		return nil, "", err
	}
	if bare, enough, err := conversion.Bare(asJSON, object); err != nil {
		return nil, "", err
	} else if enough {
		object = bare
	} else {
		note = fmt.Sprintf("%s %s says what %s cannot: an annotation of it keeps that, so leave it there", meta.Kind, meta.Metadata.Name, version)
	}
	plain, err := sigsyaml.JSONToYAML(object)
	if err != nil {
		return nil, "", err
	}
	var made yaml.Node
	if err := yaml.Unmarshal(plain, &made); err != nil {
		return nil, "", err
	}
	s := &source{root: content(&old), taken: map[*yaml.Node]bool{}}
	root := content(&made)
	tidy(root, "")
	s.graft(root)
	root.HeadComment, root.FootComment = s.root.HeadComment, s.root.FootComment
	made.HeadComment, made.FootComment = old.HeadComment, old.FootComment
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&made); err != nil {
		return nil, "", err
	}
	return out.Bytes(), note, encoder.Close()
}

// tidy drops what is written empty because Kubernetes' types do.
func tidy(node *yaml.Node, key string) {
	node.Line = 0 // lines are those of the old tree
	var kept []*yaml.Node
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i].Value, node.Content[i+1]
		empty := value.Kind == yaml.MappingNode && len(value.Content) == 0
		if empty && (name == "status" && key == "" || name == "resources") {
			continue
		}
		kept = append(kept, node.Content[i], value)
	}
	if node.Kind == yaml.MappingNode {
		node.Content = kept
	}
	for i, child := range node.Content {
		switch {
		case node.Kind == yaml.SequenceNode:
			tidy(child, key+"[]")
		case i%2 == 1:
			tidy(child, node.Content[i-1].Value)
		default:
			child.Line = 0
		}
	}
}

// source is the tree of the document as it was.
type source struct {
	root  *yaml.Node
	taken map[*yaml.Node]bool
}

// graft puts what stands in the old tree under the same key and with the same value in the place of the
// new, with its comments, its order and its style; then it arranges the rest by where it came from.
func (s *source) graft(node *yaml.Node) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			if old := s.find(s.root, "", item, true); old != nil {
				node.Content[i] = old[1]
				continue
			}
			s.graft(item)
			s.comment(item)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if old := s.find(s.root, node.Content[i].Value, node.Content[i+1], false); old != nil {
				node.Content[i], node.Content[i+1] = old[0], old[1]
				continue
			}
			if key := s.key(s.root, node.Content[i].Value); key != nil {
				node.Content[i].HeadComment, node.Content[i].LineComment, node.Content[i].Line = key.HeadComment, key.LineComment, key.Line
			}
			s.graft(node.Content[i+1])
		}
		arrange(node)
	}
}

// comment gives an item of a list the comment of the key by whose name it goes now.
func (s *source) comment(item *yaml.Node) {
	if _, name := child(item, "name"); name != nil && item.Kind == yaml.MappingNode {
		if key := s.key(s.root, name.Value); key != nil && item.HeadComment == "" {
			item.HeadComment = key.HeadComment
			item.Line = key.Line
		}
	}
}

// find looks for an entry, or an item of a list, that nobody has taken yet.
func (s *source) find(in *yaml.Node, key string, value *yaml.Node, item bool) []*yaml.Node {
	for i, node := range in.Content {
		var old []*yaml.Node
		switch in.Kind {
		case yaml.SequenceNode:
			if item && equal(node, value) && !s.taken[node] {
				old = []*yaml.Node{nil, node}
			}
		case yaml.MappingNode:
			if i%2 == 0 {
				continue
			}
			if name := in.Content[i-1]; !item && name.Value == key && equal(node, value) && !s.taken[node] {
				old = []*yaml.Node{name, node}
			}
		}
		if old == nil {
			old = s.find(node, key, value, item)
		}
		if old != nil {
			s.take(old[1])
			return old
		}
	}
	return nil
}

func (s *source) take(node *yaml.Node) {
	s.taken[node] = true
	for _, child := range node.Content {
		s.take(child)
	}
}

// key is the first key of a name, whatever it stands for.
func (s *source) key(in *yaml.Node, name string) *yaml.Node {
	for i, node := range in.Content {
		if in.Kind == yaml.MappingNode && i%2 == 0 {
			if node.Value == name {
				return node
			}
			continue
		}
		if key := s.key(node, name); key != nil {
			return key
		}
	}
	return nil
}

// equal compares values, not how they are written.
func equal(a, b *yaml.Node) bool {
	for a.Kind == yaml.AliasNode {
		a = a.Alias
	}
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.ScalarNode {
		return a.Value == b.Value && a.ShortTag() == b.ShortTag()
	}
	if a.Kind == yaml.SequenceNode {
		return slices.EqualFunc(a.Content, b.Content, equal)
	}
	for i := 0; i+1 < len(a.Content); i += 2 {
		if _, value := child(b, a.Content[i].Value); value == nil || !equal(a.Content[i+1], value) {
			return false
		}
	}
	return true
}

// arrange orders a mapping by where its entries came from; a name comes first, a new type next,
// and a pod last.
func arrange(node *yaml.Node) {
	type entry struct{ key, value *yaml.Node }
	var entries []entry
	for i := 0; i+1 < len(node.Content); i += 2 {
		entries = append(entries, entry{node.Content[i], node.Content[i+1]})
	}
	rank := func(e entry) int {
		line := first(e.key, e.value)
		switch {
		case e.key.Value == "name":
			return -1
		case e.key.Value == "type" && line == math.MaxInt32:
			return 0
		case e.key.Value == "podTemplate":
			return math.MaxInt32 // the longest
		}
		return line
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return rank(a) - rank(b) })
	node.Content = nil
	for _, e := range entries {
		node.Content = append(node.Content, e.key, e.value)
	}
}

// first is the first line of what of some nodes came from the old tree.
func first(nodes ...*yaml.Node) int {
	line := math.MaxInt32
	for _, node := range nodes {
		if node.Line > 0 {
			line = min(line, node.Line)
		}
		if node.Kind != yaml.ScalarNode && len(node.Content) > 0 {
			line = min(line, first(node.Content...))
		}
	}
	return line
}

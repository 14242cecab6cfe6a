package graphfile

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// at is the place of a field, or of the nearest one above it that is there.
func (d *document) at(path string) fleet.Origin {
	found := content(d.root)
	node := found
	for _, step := range steps(path) {
		key, value := child(node, step)
		if value == nil {
			break
		}
		found, node = key, value
	}
	if found == nil {
		return fleet.Origin{File: d.file}
	}
	return fleet.Origin{File: d.file, Line: found.Line, Column: found.Column}
}

func (d *document) version() string {
	_, value := child(content(d.root), "apiVersion")
	if value == nil {
		return ""
	}
	return value.Value
}

func content(root *yaml.Node) *yaml.Node {
	if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
		return root.Content[0]
	}
	return root
}

// child finds a key of a mapping or an item of a sequence, with the node that
// marks its place.
func child(node *yaml.Node, step string) (place, value *yaml.Node) {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil {
		return nil, nil
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
		if name, named := strings.CutPrefix(step, "name="); named {
			for _, item := range node.Content {
				if _, value := child(item, "name"); value != nil && value.Value == name {
					return item, item
				}
			}
		}
	}
	return nil, nil
}

// steps cuts a path such as spec.services[Worker].ports[0].name, where keys in
// brackets may hold dots.
func steps(path string) []string {
	var out []string
	for path != "" {
		if rest, bracket := strings.CutPrefix(path, "["); bracket {
			key, after, closed := strings.Cut(rest, "]")
			if !closed {
				return out
			}
			out, path = append(out, key), strings.TrimPrefix(after, ".")
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(out, path)
		}
		if end > 0 {
			out = append(out, path[:end])
		}
		path = strings.TrimPrefix(path[end:], ".")
	}
	return out
}

// split parts a path into what is above a field and the field.
func split(path string) (parent []string, name string) {
	all := steps(path)
	if len(all) == 0 {
		return nil, ""
	}
	return all[:len(all)-1], all[len(all)-1]
}

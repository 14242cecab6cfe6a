package chart

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Object is one Kubernetes object of a manifest.
type Object struct {
	APIVersion string
	Kind       string
	// Namespace is empty where the object does not name one.
	Namespace   string
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	// Content is the object's YAML with every line break that it has in the
	// manifest: the last one decides how a block of text ends.
	Content string
	// Template is the file that rendered the object; empty for a stored one.
	Template string
	// converted is the content as JSON; nil if it has not been kept.
	converted *conversion
}

// conversion is made once, because nothing of a check costs more.
type conversion struct {
	content string
	json    func() ([]byte, error)
}

func newConversion(content string) *conversion {
	return &conversion{content, sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSONStrict([]byte(content)) })}
}

// JSON is the object's content. A key that is there twice is an error.
func (o Object) JSON() ([]byte, error) {
	if o.converted == nil || o.converted.content != o.Content {
		return yaml.YAMLToJSONStrict([]byte(o.Content))
	}
	return o.converted.json()
}

// Read reads the content as it is: of a key that is there twice, the last counts.
func (o Object) Read(into any) error {
	if data, err := o.JSON(); err == nil {
		return json.Unmarshal(data, into)
	}
	return yaml.Unmarshal([]byte(o.Content), into)
}

// Kept reports whether the object outlives its release.
func (o Object) Kept() bool { return o.Annotations[marks.Policy] == marks.PolicyKeep }

// Group is the API group, empty for the core group.
func (o Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// In is the object in another version of its API.
func (o Object) In(apiVersion string) (Object, error) {
	var content map[string]any
	if err := o.Read(&content); err != nil {
		return Object{}, fmt.Errorf("%s: %w", o, err)
	}
	content["apiVersion"] = apiVersion
	text, err := yaml.Marshal(content)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", o, err)
	}
	o.APIVersion, o.Content, o.converted = apiVersion, string(text), nil
	return o, nil
}

func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + "/" + o.Name
	}
	return o.Kind + "/" + o.Namespace + "/" + o.Name
}

// objectsOf reads a document as Helm's client does: one of comments alone is no
// object, and a list is its items.
func objectsOf(h head, converted *conversion) ([]Object, error) {
	switch {
	case strings.HasSuffix(h.Kind, "List"):
		return itemsOf(converted, h)
	case h.Kind == "" && h.APIVersion == "" && converted.empty():
		return nil, nil
	}
	return []Object{objectOf(h, converted)}, nil
}

func objectOf(h head, converted *conversion) Object {
	return Object{
		APIVersion: h.APIVersion, Kind: h.Kind,
		Namespace: h.Metadata.Namespace, Name: h.Metadata.Name,
		Labels: h.Metadata.Labels, Annotations: h.Metadata.Annotations,
		Content: converted.content, converted: converted,
	}
}

// itemsOf are the objects of a list; an object whose kind merely ends like one
// has none and stays as it is.
func itemsOf(converted *conversion, h head) ([]Object, error) {
	data, err := converted.json()
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err = json.Unmarshal(data, &list); err == nil && list.Items != nil {
		return objectsIn(list.Items, h)
	}
	return []Object{objectOf(h, converted)}, nil
}

func objectsIn(items []json.RawMessage, h head) (objects []Object, err error) {
	for i, item := range items {
		below, err := parseItem(newConversion(string(item)))
		if err != nil {
			return nil, fmt.Errorf("item %d of %s: %w", i, h.Kind, err)
		}
		objects = append(objects, below...)
	}
	return objects, nil
}

func parseItem(converted *conversion) ([]Object, error) {
	h, err := parseHead(converted)
	if err != nil {
		return nil, err
	}
	return objectsOf(h, converted)
}

// empty reports whether the document holds nothing but comments.
func (c *conversion) empty() bool {
	data, err := c.json()
	return err == nil && string(data) == "null"
}

// head is what every object has.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// parseHead reads the YAML as a whole, once, unless it is large or not strictly
// right: then it is for others to say so.
func parseHead(c *conversion) (head, error) {
	if len(c.content) < largeObject {
		var h head
		if data, err := c.json(); err == nil && json.Unmarshal(data, &h) == nil {
			return h, nil
		}
	}
	var h head
	err := yaml.Unmarshal(headOf(c.content), &h)
	return h, err
}

// largeObject is about where CRDs begin. Most commands never read them whole.
const largeObject = 64 << 10

// headOf keeps the top-level fields apiVersion, kind and metadata, because
// parsing the rest of a large object costs more than everything else here.
func headOf(content string) []byte {
	if !blockStyle(content) {
		return []byte(content)
	}
	var head strings.Builder
	keep := false
	for line := range strings.Lines(content) {
		if line[0] != ' ' && line[0] != '\n' && line[0] != '#' && line[0] != '-' {
			keep = strings.HasPrefix(line, "apiVersion:") || strings.HasPrefix(line, "kind:") || strings.HasPrefix(line, "metadata:")
		}
		if keep {
			head.WriteString(line)
		}
	}
	return []byte(head.String())
}

// blockStyle reports whether top-level fields start their own lines.
func blockStyle(content string) bool {
	return strings.HasPrefix(content, "apiVersion:") || strings.Contains(content, "\napiVersion:")
}

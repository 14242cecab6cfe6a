package trace

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Path leads to a field of an object.
type Path []Step

// Step is one step of a Path: a key, or an item of a list by its number or by
// the value of one of its fields.
type Step struct {
	Key string
	// Item marks brackets.
	Item bool
	// By names the field that picks an item; empty: Key is the number or, if it
	// is none, the item's name.
	By string
}

// ParsePath reads a path as kubectl prints and takes them:
//
//	spec.template.spec.containers[0].image
//	{.spec.template.spec.containers[manager].image}
//	spec.ports[port=8443].protocol
//	metadata.labels[app.kubernetes.io/name] or metadata.labels.app\.kubernetes\.io/name
func ParsePath(text string) (Path, error) {
	rest := strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	var path Path
	for rest != "" {
		rest = strings.TrimPrefix(rest, ".")
		if strings.HasPrefix(rest, "[") {
			inside, after, closed := strings.Cut(rest[1:], "]")
			if !closed || inside == "" {
				return nil, fmt.Errorf("field %q: a bracket is not closed, or empty", text)
			}
			step := Step{Key: strings.Trim(inside, `"'`), Item: true}
			if by, value, ok := strings.Cut(inside, "="); ok {
				step = Step{Key: strings.Trim(value, `"'`), Item: true, By: by}
			}
			path, rest = append(path, step), after
			continue
		}
		key, after := cutKey(rest)
		if key == "" {
			return nil, fmt.Errorf("field %q: a name is missing between two dots", text)
		}
		path, rest = append(path, Step{Key: key}), after
	}
	return path, nil
}

// cutKey splits off a key at the next dot or bracket; a backslash protects both.
func cutKey(text string) (key, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == '.' || text[i] == '[':
			return b.String(), text[i:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}

func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch {
		case step.By != "":
			fmt.Fprintf(&b, "[%s=%s]", step.By, step.Key)
		case step.Item:
			fmt.Fprintf(&b, "[%s]", step.Key)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strings.NewReplacer(".", `\.`, "[", `\[`).Replace(step.Key))
		}
	}
	return b.String()
}

// In returns what the path leads to in an object, and whether it exists.
func (p Path) In(object any) (any, bool) {
	for _, step := range p {
		next, ok := step.in(object)
		if !ok {
			return nil, false
		}
		object = next
	}
	return object, true
}

func (s Step) in(object any) (any, bool) {
	switch v := object.(type) {
	case map[string]any:
		next, ok := v[s.Key]
		return next, ok
	case []any:
		i := s.index(v)
		if i < 0 {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// fixed is the path with the items of lists by number, as they are in an object.
func (p Path) fixed(object any) Path {
	out := slices.Clone(p)
	for i, step := range p {
		if list, ok := object.([]any); ok {
			out[i] = Step{Key: strconv.Itoa(step.index(list)), Item: true}
		}
		next, ok := step.in(object)
		if !ok {
			return out
		}
		object = next
	}
	return out
}

// index finds the item of a list that a step means, -1 if none.
func (s Step) index(list []any) int {
	by := s.By
	if by == "" {
		if i, err := strconv.Atoi(s.Key); err == nil {
			if i < 0 || i >= len(list) {
				return -1
			}
			return i
		}
		by = "name"
	}
	for i, item := range list {
		m, ok := item.(map[string]any)
		if metadata, of := m["metadata"].(map[string]any); of && s.By == "" && m[by] == nil {
			m = metadata // a template of an object, as in volumeClaimTemplates
		}
		if ok && m[by] != nil && fmt.Sprint(m[by]) == s.Key {
			return i
		}
	}
	return -1
}

// same compares values; 1 and 1.0 are the same, as in JSON.
func same(a, b any) bool { return reflect.DeepEqual(uniform(a), uniform(b)) }

func uniform(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, field := range v {
			out[key] = uniform(field)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = uniform(item)
		}
		return out
	default:
		return v
	}
}

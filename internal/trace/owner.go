package trace

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Owner is a program that set a field of a live object, as the API server's
// bookkeeping has it.
type Owner struct {
	Manager   string `json:"manager"`
	Operation string `json:"operation"`
	// Subresource through which it was set, such as "scale"; mostly empty.
	Subresource string    `json:"subresource,omitempty"`
	Time        time.Time `json:"time,omitzero"`
}

// Owners lists who set a field of a live object, or something below it. None
// means that the API server or a webhook filled it in.
func Owners(live map[string]any, path Path) []Owner {
	metadata, _ := live["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	var out []Owner
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		fields, _ := e["fieldsV1"].(map[string]any)
		if !owns(fields, live, path) {
			continue
		}
		o := Owner{Manager: text(e["manager"]), Operation: text(e["operation"]), Subresource: text(e["subresource"])}
		if at, err := time.Parse(time.RFC3339, text(e["time"])); err == nil {
			o.Time = at
		}
		out = append(out, o)
	}
	return out
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// owns walks a set of fields along a path. Keys of maps are there as "f:key",
// items of lists as "k:{...}" with the fields that tell them apart, "v:value"
// or "i:index". A set that ends before the path does owns all below.
func owns(fields map[string]any, object any, path Path) bool {
	for _, step := range path {
		next, ok := step.in(object)
		if !ok {
			return false
		}
		if list, isList := object.([]any); isList {
			fields, ok = itemFields(fields, next, slices.IndexFunc(list, func(item any) bool { return same(item, next) }))
		} else {
			fields, ok = fields["f:"+step.Key].(map[string]any)
		}
		if !ok {
			return false
		}
		if len(fields) == 0 {
			return true
		}
		object = next
	}
	return true
}

func itemFields(fields map[string]any, item any, index int) (map[string]any, bool) {
	for name, below := range fields {
		rest, _ := below.(map[string]any)
		prefix, encoded, _ := strings.Cut(name, ":")
		var wanted any
		if json.Unmarshal([]byte(encoded), &wanted) != nil {
			continue
		}
		switch prefix {
		case "k":
			keys, _ := wanted.(map[string]any)
			if matches(item, keys) {
				return rest, true
			}
		case "v":
			if same(wanted, item) {
				return rest, true
			}
		case "i":
			if same(wanted, index) {
				return rest, true
			}
		}
	}
	return nil, false
}

func matches(item any, keys map[string]any) bool {
	m, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for key, wanted := range keys {
		if !same(m[key], wanted) {
			return false
		}
	}
	return true
}

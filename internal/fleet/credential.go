package fleet

import (
	"cmp"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Hidden stands for a value that must not be shown.
const Hidden = "(hidden)"

// NoCredential is the comment by which a person vouches for one line: its value
// looks like a credential and is none.
const NoCredential = "not a credential"

// Credential is a value that should not be written where it is: Helm keeps
// values readably in the release's record.
type Credential struct {
	// Path leads to the value; numbers are indexes of lists.
	Path []string
	// Why says what it looks like, without the value: "a password".
	Why    string
	Origin Origin
}

// Credentials lists what looks like a credential among the values at a path,
// also among those that a stronger layer overrode. What was encrypted is where it
// belongs.
func Credentials(v *Value, at ...string) []Credential {
	var out []Credential
	Mask(at, v.Plain(), func(path []string, why string, _ any) any {
		below := path[len(at):]
		if leaf := v.At(below...); leaf == nil || !leaf.Vouched && leaf.Sealed == "" {
			out = append(out, Credential{Path: path, Why: why, Origin: v.Nearest(below...).Origin})
		}
		return nil
	})
	for _, leaf := range explain(v, JoinPath(at...), nil) {
		for _, lost := range leaf.Overrode {
			Mask(SplitPath(cmp.Or(lost.Path, leaf.Path)), lost.Value, func(path []string, why string, _ any) any {
				if !lost.Vouched {
					out = append(out, Credential{Path: path, Why: why, Origin: lost.Origin})
				}
				return nil
			})
		}
	}
	return out
}

// Shown is Plain without what must not be shown. The value is at the path.
func (v *Value) Shown(path ...string) any {
	return Mask(path, v.open(), func(at []string, _ string, plain any) any {
		if leaf := v.At(at[len(path):]...); leaf != nil && leaf.Vouched {
			return plain
		}
		return Hidden
	})
}

// hider says what stands for a credential.
type hider = func(path []string, why string, plain any) any

// Mask copies a tree of plain values that is at a path, and lets hide replace
// each credential in it.
func Mask(path []string, plain any, hide hider) any {
	switch v := plain.(type) {
	case map[string]any:
		if v["kind"] == "Secret" {
			return copySecret(path, v, hide)
		}
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below := pathTo(path, key)
			switch why := credentialIn(v, key, path); {
			case why != "":
				out[key] = hide(below, why, v[key])
			case isScalar(v[key]):
				out[key] = v[key]
			default:
				out[key] = Mask(below, v[key], hide)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = Mask(pathTo(path, strconv.Itoa(i)), item, hide)
		}
		return flags(path, v, out, hide)
	default:
		if why := credential(lastKey(path), plain, nil); why != "" {
			return hide(path, why, plain)
		}
		return plain
	}
}

// credentialIn looks at one entry of a map, with its neighbours.
func credentialIn(m map[string]any, key string, path []string) string {
	name := key
	if key == "value" || key == "default" {
		// {name: API_KEY, value: x}, as in env of a container.
		if called, ok := m["name"].(string); ok {
			name = called
		}
	}
	if key == "auth" && len(path) > 1 && path[len(path)-2] == "auths" && literal(m[key]) != "" {
		return "a registry's credentials"
	}
	return credential(name, m[key], m)
}

// credential says what a scalar looks like, by its key and by its shape.
func credential(key string, value any, beside map[string]any) string {
	if !isScalar(value) {
		return ""
	}
	if text, ok := value.(string); ok {
		if why := shape(text); why != "" {
			return why
		}
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && len(text) >= 40 {
			if why := shape(string(decoded)); why != "" {
				return why + " in base64"
			}
		}
	}
	return secretKey(key, value, beside)
}

func isScalar(plain any) bool {
	switch plain.(type) {
	case map[string]any, []any:
		return false
	default:
		return true
	}
}

// copySecret masks the content of a whole Secret object given as a value.
func copySecret(path []string, secret map[string]any, hide hider) any {
	out := make(map[string]any, len(secret))
	for _, key := range slices.Sorted(maps.Keys(secret)) {
		out[key] = secret[key]
		content, ok := secret[key].(map[string]any)
		if !ok || key != "data" && key != "stringData" {
			continue
		}
		masked := make(map[string]any, len(content))
		for _, name := range slices.Sorted(maps.Keys(content)) {
			masked[name] = content[name]
			if literal(content[name]) != "" {
				masked[name] = hide(pathTo(pathTo(path, key), name), "the content of a Secret", content[name])
			}
		}
		out[key] = masked
	}
	return out
}

// flags finds the second form of command lines: ["--api-key", "x"].
func flags(path []string, items, out []any, hide hider) any {
	for i := 1; i < len(items); i++ {
		flag, isText := items[i-1].(string)
		value, follows := items[i].(string)
		if !isText || !follows || !strings.HasPrefix(flag, "-") || strings.HasPrefix(value, "-") || strings.Contains(flag, "=") {
			continue
		}
		if why := secretKey(strings.TrimLeft(flag, "-"), value, nil); why != "" && out[i] == items[i] {
			out[i] = hide(pathTo(path, strconv.Itoa(i)), why, value)
		}
	}
	return out
}

func pathTo(path []string, key string) []string {
	return append(path[:len(path):len(path)], key)
}

// lastKey is the name of a list's items: that of the list, as one of many.
func lastKey(path []string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(path[i]); err != nil {
			if i < len(path)-1 {
				return strings.TrimSuffix(path[i], "s")
			}
			return path[i]
		}
	}
	return ""
}

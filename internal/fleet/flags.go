package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"helm.sh/helm/v4/pkg/strvals"
)

// Flags are values that are set above all files, in Helm's syntax and Helm's
// order: each is CHART.PATH=VALUE.
type Flags struct {
	// JSON are --set-json; one without a path is a mapping of charts.
	JSON []string
	// Set are --set.
	Set []string
	// Texts are --set-string: no value is taken for a number or a truth.
	Texts []string
	// Files are --set-file: the value is what is in the file.
	Files []string
}

// setFlags reads the flags.
func (r *resolver) setFlags() *Value {
	out := NewMap(Origin{Layer: LayerSet})
	for _, kind := range []struct {
		name  string
		flags []string
		parse func(string) (map[string]any, error)
	}{
		{"--set-json", r.Set.JSON, parseJSONFlag},
		{"--set", r.Set.Set, strvals.Parse},
		{"--set-string", r.Set.Texts, strvals.ParseString},
		{"--set-file", r.Set.Files, r.parseFileFlag},
	} {
		for _, flag := range kind.flags {
			parsed, err := kind.parse(flag)
			if err != nil {
				r.problems = append(r.problems, unreadableFlag(kind.name, flag, err))
				continue
			}
			v := setBy(kind.name, nil, viaJSON(parsed))
			r.problems = append(r.problems, unknownCharts(v)...)
			out = Merge(out, v)
		}
	}
	return out
}

func parseJSONFlag(flag string) (map[string]any, error) {
	out := map[string]any{}
	if strings.HasPrefix(strings.TrimSpace(flag), "{") {
		if json.Unmarshal([]byte(flag), &out) != nil {
			return nil, errors.New("it is no JSON")
		}
		return out, nil
	}
	return out, strvals.ParseJSON(flag, out)
}

func (r *resolver) parseFileFlag(flag string) (map[string]any, error) {
	return strvals.ParseFile(flag, func(name []rune) (any, error) {
		data, err := r.Files.Read(string(name))
		return string(data), err
	})
}

// unreadableFlag never repeats a value that may be secret.
func unreadableFlag(name, flag string, err error) Problem {
	path, value, _ := strings.Cut(flag, "=")
	p := Problem{Origin: Origin{File: name + " " + path, Layer: LayerSet}, Message: "cannot be read: " + err.Error(),
		Fix: "write " + name + " CHART.PATH=VALUE, and a comma within the value as \\,"}
	if secretKey(lastKey(SplitPath(path)), value, nil) != "" || shape(value) != "" {
		p.Message = "cannot be read"
	}
	return p
}

// setBy gives every node the flag that sets it as its origin: the path, because
// a value that is printed beside the path may be secret.
func setBy(name string, path []string, plain any) *Value {
	out := fromPlain(plain, Origin{File: name + " " + JoinPath(path...), Layer: LayerSet})
	for key, field := range out.Fields {
		out.Fields[key] = setBy(name, pathTo(path, key), field.Plain())
	}
	return out
}

// viaJSON makes every number a float64, as in values files.
func viaJSON(v map[string]any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&out); err != nil {
		return v
	}
	return out
}

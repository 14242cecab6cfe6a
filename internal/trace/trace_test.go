package trace_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

// A chart with every way to read a value that hides it from a search of the
// templates' text: includes, loops, computed keys, templates in values, guards.
var tricky = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: p\nversion: 1.0.0\nappVersion: 1.0.0\ndependencies:\n- {name: sub, version: 1.0.0, repository: 'file://sub', condition: sub.enabled}\n- {name: far, version: 1.0.0, repository: 'https://far.example.com', condition: far.enabled}\n",
	"values.yaml": `
replicas: 1
image: {repository: r, tag: ""}
level: info
ports: [{name: http, port: 80}]
labels: {}
computed: {one: 1, two: 2}
which: one
text: "{{ .Values.inner }}"
inner: x
guarded: 5
extra: {enabled: false, size: 1Gi}
far: {enabled: false}
sub: {enabled: true}
`,
	"values.schema.json": `{"properties": {"level": {"enum": ["info", "debug"]}, "extra": {"properties": {"enabled": {"$ref": "#/$defs/switch"}}}}, "$defs": {"switch": {"type": ["boolean", "string"]}}}`,
	"templates/_helpers.tpl": `{{- define "image" }}{{ .repository }}:{{ .tag | default $.root.Chart.AppVersion }}{{ end -}}
{{- define "deep" }}{{ with .Values }}{{ include "deeper" . }}{{ end }}{{ end -}}
{{- define "deeper" }}{{ if eq .level "debug" }}verbose{{ else }}quiet{{ end }}{{ end -}}`,
	"templates/web.yaml": `{{ if gt (int .Values.guarded) 10 }}{{ fail "too much" }}{{ end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {version: {{ .Chart.AppVersion | quote }}{{ range $k, $v := .Values.labels }}, {{ $k }}: {{ $v }}{{ end }}}
spec:
  replicas: {{ .Values.replicas }}
  fixed: 7
  computed: {{ index .Values.computed .Values.which }}
  text: {{ tpl .Values.text . | quote }}
  containers:
    - name: main
      image: {{ include "image" (merge (dict "root" .) .Values.image) }}
      args: [{{ include "deep" . }}]
      ports: {{ toYaml .Values.ports | nindent 8 }}
{{- if .Values.extra.enabled }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: extra}
spec: {size: {{ .Values.extra.size }}}
{{- end }}
`,
	"sub/Chart.yaml":         "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
	"sub/values.yaml":        "color: red\nsize: 1\nunread: 1\n",
	"sub/templates/svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: sub}\nspec: {color: {{ .Values.color }}, registry: {{ (.Values.global).registry }}}\n",
}

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm's warnings about contents of other types
	os.Exit(m.Run())
}

type files map[string]string

func (f files) Read(path string) ([]byte, error)        { return []byte(f[path]), nil }
func (f files) Glob(string) (matches []string, _ error) { return nil, nil }

func subjectsOf(t *testing.T, content map[string]string, spec string) []trace.Subject {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range content {
		fsys["platform/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := chart.OpenFS(fsys, "platform")
	if err != nil {
		t.Fatal(err)
	}
	text := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n" + spec
	f, err := fleet.Load(files{"f.yaml": text}, "f.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	profiles := fstest.MapFS{"shipped.yaml": {Data: []byte("platform: {nobody: reads}\n")}}
	resolved, err := fleet.Resolve(f, fleet.Input{
		Files: files{}, Profiles: profiles, Defaults: map[string]*fleet.Value{fleet.ChartPlatform: c.Defaults()},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []trace.Subject
	for _, rel := range resolved.Platforms() {
		s, err := trace.NewSubject(rel, c, chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func TestFieldsAreTracedToTheirValues(t *testing.T) {
	subjects := subjectsOf(t, tricky, "  values: [{platform: {replicas: 3, extra: {enabled: true}, global: {registry: g}}}]\n  platforms: [{namespace: a}]\n")
	for _, test := range []struct {
		object, field string
		value         any
		causes, facts []string
	}{
		{"deploy/dynamo-platform", "spec.replicas", 3.0, []string{"content replicas"}, nil},
		{"Deployment/dynamo-platform", "spec.fixed", 7.0, nil, nil},
		{"deployments.apps/dynamo-platform", "spec.containers[0].image", "r:1.0.0", []string{"content image.repository", "content image.tag"}, []string{"the chart's version, 1.0.0"}},
		{"deploy/dynamo-platform", "spec.containers[main].args", []any{"quiet"}, []string{"influence level"}, nil},
		{"deploy/dynamo-platform", "{.spec.containers[name=main].ports[port=80].name}", "http", []string{"content ports"}, nil},
		{"deploy/dynamo-platform", "spec.computed", 1.0, []string{"content computed.one", "influence which"}, nil},
		{"deploy/dynamo-platform", "spec.text", "x", []string{"content inner", "content text"}, nil},
		{"deploy/dynamo-platform", "metadata.namespace", "a", nil, []string{"the release's namespace, a"}},
		{"deploy/dynamo-platform", "metadata.name", "dynamo-platform", nil, []string{"the release's name, dynamo-platform"}},
		{"deploy/dynamo-platform", "spec.nothing", nil, nil, nil},
		{"pvc/extra", "spec.size", "1Gi", []string{"content extra.size", "existence extra.enabled"}, nil},
		{"svc/sub", "spec.color", "red", []string{"content sub.color", "existence sub.enabled"}, nil},
		{"svc/sub", "spec.registry", "g", []string{"content global.registry", "existence sub.enabled"}, nil},
	} {
		t.Run(test.field, func(t *testing.T) {
			path, err := trace.ParsePath(test.field)
			if err != nil {
				t.Fatal(err)
			}
			subject, object, err := trace.Find(subjects, test.object)
			if err != nil {
				t.Fatal(err)
			}
			f, err := trace.Explain(t.Context(), subject, object, path)
			if err != nil {
				t.Fatal(err)
			}
			var causes []string
			for _, cause := range f.Causes {
				causes = append(causes, string(cause.Effect)+" "+cause.Path)
			}
			if diff := cmp.Diff(test.causes, causes); diff != "" {
				t.Errorf("causes: %s", diff)
			}
			if diff := cmp.Diff(test.facts, f.Facts); diff != "" {
				t.Errorf("facts: %s", diff)
			}
			if diff := cmp.Diff(test.value, f.Value); diff != "" {
				t.Errorf("value: %s", diff)
			}
			if !strings.HasPrefix(f.Template, "p/") {
				t.Errorf("template %q", f.Template)
			}
		})
	}
}

func TestValuesWithoutEffectAreFound(t *testing.T) {
	spec := `  profiles: [shipped]
  shared: {registry: not.read.example.com}
  values:
    - platform:
        replica: 2
        replicas: 1
        guarded: 6
        level: info
        nobody: {reads: [this]}
        extra: {size: 2Gi}
        far: {enabled: false, deep: {down: 1}}
        sub: {colour: blue, color: red, enabled: true, unread: 2}
        image: {tag: ""}
        inner: overridden
        computed: {three: 3}
  platforms:
    - {namespace: a, values: [{platform: {inner: a}}]}
    - {namespace: b, values: [{platform: {inner: b}}]}
`
	want := []string{
		`f.yaml:9:9 platform.replica=2 2: no template mentions replica; did you mean replicas?`,
		`f.yaml:13:18 platform.nobody.reads=[this] 2: no template mentions reads`,
		`f.yaml:14:17 platform.extra.size=2Gi 2: templates mention size, but it has no effect with these values`,
		`f.yaml:15:38 platform.far.deep.down=1 2: far is off (far.enabled)`,
		`f.yaml:16:15 platform.sub.colour=blue 2: no template mentions colour; did you mean color?`,
		`f.yaml:16:56 platform.sub.unread=2 2: no template mentions unread`,
		`f.yaml:18:9 platform.inner=overridden 2: overridden in every release, such as by f.yaml:22:43`,
		`f.yaml:19:20 platform.computed.three=3 2: no template mentions three`,
	}
	subjects := subjectsOf(t, tricky, spec)
	for range 2 {
		found, err := trace.Unused(t.Context(), subjects)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, u := range found {
			got = append(got, fmt.Sprintf("%s %s.%s=%v %d: %s", u.Origin, u.Chart, u.Path, u.Value, u.Releases, u.Reason))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFindSuggests(t *testing.T) {
	subjects := subjectsOf(t, tricky, "  platforms: [{namespace: a}, {namespace: b}]\n")
	for reference, want := range map[string]string{
		"deployment":              `"deployment" is not KIND/NAME`,
		"deploy/dynamo-plattform": "no release renders deploy/dynamo-plattform; did you mean dynamo-platform?",
		"svc/x":                   "no release renders svc/x; of this kind there are: sub",
		"pod/x":                   "no release renders pod/x; the kinds there are: deployment, service",
		"svc/sub":                 "svc/sub is rendered by several releases: a/dynamo-platform, b/dynamo-platform; choose one with -n",
	} {
		_, _, err := trace.Find(subjects, reference)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", reference, err, want)
		}
	}
}

func TestPathsOfFields(t *testing.T) {
	object := map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"example.com/x.y": "v"}},
		"list":     []any{map[string]any{"name": "a", "port": int64(80)}, map[string]any{"name": "b"}, "text"},
	}
	for text, want := range map[string]any{
		"metadata.labels[example.com/x.y]":   "v",
		`metadata.labels['example.com/x.y']`: "v",
		`metadata.labels.example\.com/x\.y`:  "v",
		"{.list[0].port}":                    int64(80),
		".list[b].name":                      "b",
		"list[port=80].name":                 "a",
		"list[2]":                            "text",
		"list[7]":                            nil,
		"list.name":                          nil,
		"nothing.here":                       nil,
	} {
		path, err := trace.ParsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, found := path.In(object)
		if found != (want != nil) || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		again, err := trace.ParsePath(path.String())
		if err != nil || !slices.Equal(again, path) && want != nil && !strings.Contains(text, "[") {
			t.Errorf("%s is written as %s", text, path)
		}
	}
	for _, text := range []string{"a..b", "a[", "a[]", "."} {
		if _, err := trace.ParsePath(text); text != "." && err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

package charts

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// hostile are texts that YAML reads otherwise than they were meant, or that
// begin another document, where a template does not quote them.
var hostile = []string{
	"x\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: owned}\n" +
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: Group, name: system:authenticated}]\n",
	"x}]\n---\nkind: ConfigMap", "x\"\r\n---\r\nkind: ConfigMap", "x'\n---\nkind: ConfigMap",
	`"x`, `'x`, "x\\", "x: y #z", "- x", "*x", "!!binary x", "|", "x, y]}", "{{ .Release.Name }}", "$(POD_NAME)", "<&>",
	"x\ty", "x\x00y", "x\x1b[31my", "\u202ex", "x\u2028y", "\ufeffx", "x\u0085y", " x ", "x\n", "x\n\n", " \n x\n  y",
}

// otherTypes are texts that YAML takes for a number, a truth, a date or nothing
// where they are not quoted.
var otherTypes = []string{
	"123", "1.10", "1e3", "0x1F", "0x1f", "0o17", "017", "1_000", "12:30:45", ".inf", "true", "No", "on", "y", "null", "~", "2026-11-29", "-", "<<", "---",
}

// lookalikes are the names among them.
var lookalikes = []string{"123", "1e3", "0x1f", "017", "true", "no", "y", "null", "2026-11-29"}

// subject is a chart with ways to use it, in which every text of its values
// arrives somewhere.
type subject struct {
	name, folder string
	ways         []string
	// arrivesNowhere are texts with no effect on what is rendered.
	arrivesNowhere []string
}

var subjects = []subject{
	{name: "conversion", folder: "conversion", ways: []string{`{}`, `{certificate: {certManager: true}}`}},
	{name: "crds", folder: "crds", ways: []string{`{}`, `{conversion: {enabled: true, wheelhouse: true, caBundle: ` + someAuthority + `}}`, `{conversion: {enabled: true, certManager: true}}`}},
	{name: "chrek", folder: "chrek", ways: []string{`{}`, `serviceAccount: {create: false}`, `engine: {enabled: true}`, `{podMonitor: {enabled: true}, dashboard: {enabled: true}}`}},
	{name: "operator", folder: "platform/components/operator", arrivesNowhere: []string{
		// Read by the rules of the manager; refused by a template, whatever they are.
		"checkpoint.storage.pvc.pvcName", "controllerManager.manager.args[]", "webhook.caBundle",
	}, ways: []string{
		`{}`,
		`{dynamo: {ingress: {enabled: true, className: nginx}, dockerRegistry: {useKubernetesSecret: true, existingSecretName: first},
		  metrics: {podMonitors: {enabled: true}}}, metricsService: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}},
		  webhook: {authorizeAuthors: true}}`,
		`{dynamo: {istio: {enabled: true, gateway: edge/public}}, webhook: {certManager: {enabled: true}}}`,
		`{namespaceRestriction: {enabled: true}, checkpoint: {enabled: true}, webhook: {enabled: true, certificateSecret: {wheelhouse: true}},
		  dynamo: {dockerRegistry: {useKubernetesSecret: true, existingSecretName: first}, metrics: {podMonitors: {enabled: true}},
		  gateway: {enabled: true, gateway: edge/public}}}`,
		`{webhook: {certificateSecret: {external: true}, caBundle: ` + someAuthority + `}}`,
	}},
	{name: "platform", folder: "platform", ways: []string{`{nats: {enabled: false}}`}, arrivesNowhere: []string{"global.image.pullSecretNames[]", "global.image.registry"}},
}

func (s subject) open(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), s.folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTextsStayTexts puts hostile texts, and such that look like other types,
// into every place of the values that takes a text. Each is refused with the name
// of its key, or is all that differs from what an ordinary text renders.
func TestTextsStayTexts(t *testing.T) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := &writer{t: t, chart: s.open(t), named: map[string]bool{}, plains: map[string]any{}, apart: map[string]bool{}, schema: readSchema(t, filepath.Join("../../charts", s.folder, "values.schema.json"))}
			w.validator = newValidator(t, w.chart)
			all, arrived := w.schema.positions(), map[string]bool{}
			for i, way := range s.ways {
				w.way, w.first = way, i == 0
				together, rest := w.arriving(all)
				w.writeEach(together)
				for _, p := range together {
					arrived[p.String()] = true
				}
				// Some give way to others that are set as well.
				for _, p := range rest {
					if alone, _ := w.arriving([]position{p}); len(alone) > 0 && !arrived[p.String()] {
						w.writeEach(alone)
						arrived[p.String()] = true
					}
				}
			}
			w.way, w.first = s.ways[0], true
			nowhere := []string{}
			for _, p := range all {
				if arrived[p.String()] {
					continue
				}
				if w.validator.Validate(w.values([]position{p}, ordinary)) == nil {
					nowhere = append(nowhere, p.String())
				}
				w.writeEach([]position{p})
			}
			if diff := cmp.Diff(s.arrivesNowhere, nowhere, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("texts that arrive nowhere (-want +got):\n%s", diff)
			}
			t.Logf("%d places: %d texts refused, %d arrived as they are", len(all), w.refused, w.arrived)
		})
	}
}

// writer puts texts into the values of a chart that is used in a way.
type writer struct {
	t                *testing.T
	chart            *chart.Chart
	schema           valuesSchema
	validator        *jsonschema.Schema
	way              string
	first            bool // among the ways
	refused, arrived int
	// named are the positions of which it is known that a refusal names the key.
	named map[string]bool
	// plains are results of plain.
	plains map[string]any
	// apart are the groups of positions that one text does not fit together, such
	// as items of one list that are taken to be the same.
	apart map[string]bool
}

// values are those of the way, with a text at each position.
func (w *writer) values(at []position, text func(position) string) map[string]any {
	values := parseYAML(w.t, w.way)
	for _, p := range at {
		add(values, w.schema.build(p, text(p)))
	}
	return values
}

func ordinary(p position) string { return p.ordinary }

// arriving parts the positions into those whose ordinary texts are found in what
// is rendered, and the rest.
func (w *writer) arriving(at []position) (found, rest []position) {
	for _, p := range at {
		if w.validator.Validate(w.values([]position{p}, ordinary)) == nil {
			found = append(found, p)
		} else {
			rest = append(rest, p)
		}
	}
	got, err := tree(w.chart, "zz", "inference", w.values(found, ordinary))
	if err != nil {
		if len(found) == 1 {
			return nil, at
		}
		var left, right, more []position
		left, more = w.arriving(found[:len(found)/2])
		right, rest2 := w.arriving(found[len(found)/2:])
		return slices.Concat(left, right), slices.Concat(rest, more, rest2)
	}
	text := fmt.Sprint(got)
	for _, p := range found {
		if !strings.Contains(text, p.ordinary) {
			rest = append(rest, p)
		}
	}
	return slices.DeleteFunc(found, func(p position) bool { return !strings.Contains(text, p.ordinary) }), rest
}

func (w *writer) writeEach(at []position) {
	w.t.Helper()
	texts := slices.Concat(hostile, otherTypes)
	if !w.first {
		// How a text is written does not change with what else is set; where it is written does.
		texts = slices.Concat(hostile[:6], otherTypes[:3], []string{"true", "null"})
	}
	for _, text := range texts {
		w.write(at, text)
	}
}

// write puts a text at all positions whose schema takes it, and compares with
// what ordinary texts render. If that fails, it tries halves, to name the place.
func (w *writer) write(at []position, text string) {
	w.t.Helper()
	same := func(position) string { return text }
	var taken []position
	for _, p := range at {
		if w.named[p.String()] && !fits(p.node, text) {
			w.refused++
			continue
		}
		err := w.validator.Validate(w.values([]position{p}, same))
		switch {
		case err == nil:
			taken = append(taken, p)
		case !p.isNamedIn(err.Error()):
			w.t.Errorf("%s: %q is refused without the key's name: %v", p, text, err)
		default:
			w.named[p.String()] = true
			w.refused++
		}
	}
	if len(taken) > 0 {
		w.compare(taken, text)
	}
}

func (w *writer) compare(at []position, text string) {
	w.t.Helper()
	key := fmt.Sprint(w.way, at)
	if w.apart[key] {
		w.compareHalves(at, text)
		return
	}
	got, err := tree(w.chart, "zz", "inference", w.values(at, func(position) string { return text }))
	want := w.plain(at)
	var pairs []string
	for _, p := range at {
		pairs = append(pairs, p.ordinary, text)
	}
	if err == nil && reflect.DeepEqual(replaced(want, strings.NewReplacer(pairs...)), got) {
		w.arrived += len(at)
		return
	}
	if len(at) > 1 {
		w.apart[key] = true
		w.compareHalves(at, text)
		return
	}
	switch {
	case err == nil:
		w.t.Errorf("%s: %q renders other than an ordinary text does (-want +got):\n%s", at[0], text, cmp.Diff(replaced(want, strings.NewReplacer(pairs...)), got))
	case at[0].isNamedIn(err.Error()) && !strings.ContainsAny(err.Error(), "\x00\x1b"):
		w.refused++ // by a template, with a reason
	default:
		w.t.Errorf("%s: %q: %v", at[0], text, err)
	}
}

// compareHalves parts neighbours, which are most often those that do not fit together.
func (w *writer) compareHalves(at []position, text string) {
	w.t.Helper()
	var halves [2][]position
	for i, p := range at {
		halves[i%2] = append(halves[i%2], p)
	}
	w.compare(halves[0], text)
	w.compare(halves[1], text)
}

// plain is what ordinary texts at the positions render; nothing, if a template refuses them.
func (w *writer) plain(at []position) any {
	key := fmt.Sprint(w.way, at)
	if _, known := w.plains[key]; !known {
		w.plains[key], _ = tree(w.chart, "zz", "inference", w.values(at, ordinary))
	}
	return w.plains[key]
}

// add merges values; of two lists it takes the items of both.
func add(into, from map[string]any) {
	for key, value := range from {
		switch value := value.(type) {
		case map[string]any:
			if below, ok := into[key].(map[string]any); ok {
				add(below, value)
				continue
			}
		case []any:
			if items, ok := into[key].([]any); ok {
				into[key] = append(items, value...)
				continue
			}
		}
		into[key] = value
	}
}

// TestReleasesAndNamespacesOfAnyNameAreTexts: a release or a namespace may be called 123.
func TestReleasesAndNamespacesOfAnyNameAreTexts(t *testing.T) {
	for _, s := range subjects {
		c := s.open(t)
		for _, way := range s.ways {
			values := parseYAML(t, way)
			inPlain, asPlain := mustTree(t, c, "zz", "t1000t", values), mustTree(t, c, "t1000t", "inference", values)
			for _, name := range lookalikes {
				plain := strings.NewReplacer("t1000t", name)
				if diff := cmp.Diff(replaced(inPlain, plain), mustTree(t, c, "zz", name, values)); diff != "" {
					t.Errorf("%s in a namespace %q (-want +got):\n%s", s.name, name, diff)
				}
				if diff := cmp.Diff(replaced(asPlain, plain), mustTree(t, c, name, "inference", values)); diff != "" {
					t.Errorf("%s as a release %q (-want +got):\n%s", s.name, name, diff)
				}
			}
		}
	}
}

// tree is what a chart renders, as data: the configuration files within it, too,
// and without digests of them.
func tree(c *chart.Chart, release, namespace string, values map[string]any) (any, error) {
	rendered, err := c.Render(chart.Release{Name: release, Namespace: namespace}, values, chart.OfflineCapabilities())
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, object := range rendered.Objects {
		content := object.Content
		if object.Kind == "CustomResourceDefinition" {
			content = withoutVersions(content)
		}
		parsed := map[string]any{}
		if err := yaml.Unmarshal([]byte(content), &parsed); err != nil {
			return nil, err
		}
		if data, ok := parsed["data"].(map[string]any); ok && object.Kind == "ConfigMap" {
			for file, content := range data {
				if data[file], err = parsedFile(content); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, withoutDigests(parsed))
	}
	return out, nil
}

// withoutVersions cuts a definition's versions out, which are rendered as they are,
// and long.
func withoutVersions(content string) string {
	before, versions, _ := strings.Cut(content, "\n  versions:\n")
	_, after, _ := strings.Cut(versions, "\n  conversion:\n")
	return before + "\n  conversion:\n" + after
}

func parsedFile(content any) (any, error) {
	text, ok := content.(string)
	if !ok {
		return nil, fmt.Errorf("a file that is no text: %v", content)
	}
	parsed := map[string]any{}
	err := yaml.Unmarshal([]byte(text), &parsed)
	return parsed, err
}

func mustTree(t *testing.T, c *chart.Chart, release, namespace string, values map[string]any) any {
	t.Helper()
	got, err := tree(c, release, namespace, values)
	if err != nil {
		t.Fatalf("%s/%s: %v", namespace, release, err)
	}
	return got
}

func withoutDigests(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "checksum/config")
		for _, child := range v {
			withoutDigests(child)
		}
	case []any:
		for _, child := range v {
			withoutDigests(child)
		}
	}
	return v
}

// replaced is data with texts replaced, in keys as well.
func replaced(v any, by *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return by.Replace(v)
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[by.Replace(key)] = replaced(value, by)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = replaced(item, by)
		}
		return out
	}
	return v
}

// newValidator is a chart's schema, as Helm reads it.
func newValidator(t *testing.T, c *chart.Chart) *jsonschema.Schema {
	t.Helper()
	source, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schemas()[0].JSON))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("mem:///values", source); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("mem:///values")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

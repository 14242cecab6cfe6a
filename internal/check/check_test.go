package check_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// A platform chart as small as the rules allow.
var smallCharts = fstest.MapFS{
	"conversion/Chart.yaml": {Data: []byte("apiVersion: v2\nname: dynamo-conversion\nversion: 1.0.0\n")},
	"crds/Chart.yaml":       {Data: []byte("apiVersion: v2\nname: dynamo-crds\nversion: 1.0.0\n")},
	"chrek/Chart.yaml":      {Data: []byte("apiVersion: v2\nname: chrek\nversion: 1.0.0\n")},
	"platform/Chart.yaml":   {Data: []byte("apiVersion: v2\nname: dynamo-platform\nversion: 1.0.0\ndependencies:\n- {name: operator, version: 1.0.0, repository: 'file://components/operator', alias: dynamo-operator}\n- {name: nats, version: 1.3.2, repository: 'https://nats.example.com', condition: nats.enabled}\n- {name: queues, version: 1.0.0, repository: 'file://components/queues', condition: queues.enabled}\n")},
	"platform/values.yaml":  {Data: []byte("nats: {enabled: false}\nqueues: {enabled: false}\n")},
	"platform/values.schema.json": {Data: []byte(`{"type": "object", "additionalProperties": false, "properties": {
		"global": {"type": "object"}, "dynamo-operator": {"type": "object"}, "nats": {"type": "object"}, "queues": {"type": "object"}, "name": {"type": "string"}}}`)},
	"platform/templates/a.yaml":                           {Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name | default .Release.Name }}}\n")},
	"platform/components/queues/Chart.yaml":               {Data: []byte("apiVersion: v2\nname: queues\nversion: 1.0.0\n")},
	"platform/components/queues/crds/queues.yaml":         {Data: []byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: queues.example.com}\n")},
	"platform/components/operator/Chart.yaml":             {Data: []byte("apiVersion: v2\nname: operator\nversion: 1.0.0\n")},
	"platform/components/operator/values.yaml":            {Data: []byte("replicas: 1\nnats: {enabled: false}\netcd: {enabled: false}\n")},
	"platform/components/operator/values.schema.json":     {Data: []byte(`{"type": "object", "additionalProperties": false, "properties": {"global": {}, "replicas": {"type": "integer", "minimum": 1}, "nats": {"type": "object"}, "etcd": {"type": "object"}, "natsAddr": {}, "etcdAddr": {}, "level": {"enum": ["info", "debug"]}, "namespaceRestriction": {"type": "object", "additionalProperties": false, "properties": {"enabled": {"type": "boolean"}, "targetNamespace": {"type": "string"}, "allowMixedScopes": {"type": "boolean"}}}}}`)},
	"platform/components/operator/templates/cluster.yaml": {Data: []byte("{{- if .Values.namespaceRestriction.enabled | not }}\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: fixed}\n{{- end }}\n")},
}

type files map[string]string

func (f files) Read(path string) ([]byte, error)        { return []byte(f[path]), nil }
func (f files) Glob(string) (matches []string, _ error) { return nil, nil }

// input resolves a fleet given as the lines below spec.
func input(t *testing.T, spec string) check.Input {
	t.Helper()
	text := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n" + spec
	f, err := fleet.Load(files{"f.yaml": text}, "f.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	in := check.Input{Charts: map[string]*chart.Chart{}, Rendered: map[fleet.Key]*chart.Rendered{}}
	defaults := map[string]*fleet.Value{}
	for _, key := range fleet.ChartKeys {
		c, err := chart.OpenFS(smallCharts, key)
		if err != nil {
			t.Fatal(err)
		}
		in.Charts[key], defaults[key] = c, c.Defaults()
	}
	in.Set, err = fleet.Resolve(f, fleet.Input{Files: files{}, Profiles: fstest.MapFS{}, Defaults: defaults})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (c ruleCase) run(t *testing.T, find func(check.Input) check.Findings) {
	t.Helper()
	in := input(t, c.spec)
	if c.rendered {
		for _, rel := range in.Set.Releases {
			rendered, err := in.Charts[rel.Chart].Render(chart.Release{Name: rel.Name, Namespace: rel.Namespace}, rel.Overrides.PlainMap(), chart.OfflineCapabilities())
			if err != nil {
				t.Fatal(err)
			}
			in.Rendered[rel.Key] = rendered
		}
	}
	var got []string
	for _, finding := range find(in) {
		if finding.Rule == "W-27" && !strings.Contains(c.want, "W-27") {
			continue // for the sake of short cases, platforms are where they serve
		}
		got = append(got, finding.String())
	}
	if c.want == "" {
		if len(got) > 0 {
			t.Errorf("unexpected:\n%s", strings.Join(got, "\n"))
		}
		return
	}
	if len(got) != 1 || !strings.Contains(got[0], c.want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), c.want)
	}
}

type ruleCase struct {
	name, spec string
	rendered   bool
	want       string
}

func TestValueRules(t *testing.T) {
	for _, c := range []ruleCase{
		{name: "two restricted platforms", spec: "  platforms: [{namespace: a}, {namespace: b}]\n"},
		{name: "one cluster-wide platform", spec: "  platforms: [{namespace: a, scope: cluster}]\n"},
		{
			name: "misspelt key at depth", spec: "  values:\n  - platform:\n      dynamo-operator:\n        namespaceRestriction:\n          enabld: true\n  platforms: [{namespace: a}]\n",
			want: `error: f.yaml:9:11: platform.dynamo-operator.namespaceRestriction.enabld: unknown key (did you mean "enabled"?) [W-00]`,
		},
		{
			name: "wrong type", spec: "  values:\n  - platform: {dynamo-operator: {replicas: many}}\n  platforms: [{namespace: a}]\n",
			want: "f.yaml:6:34: platform.dynamo-operator.replicas: must be integer, found string [W-00]",
		},
		{
			name: "not in the enumeration", spec: "  values:\n  - platform: {dynamo-operator: {level: loud}}\n  platforms: [{namespace: a}, {namespace: b}]\n",
			want: `f.yaml:6:34: platform.dynamo-operator.level: is "loud"; it must be one of: "info", "debug" [W-00]`,
		},
		{
			name: "below the minimum", spec: "  values:\n  - platform: {dynamo-operator: {replicas: 0}}\n  platforms: [{namespace: a}]\n",
			want: "platform.dynamo-operator.replicas: minimum: got 0, want 1 [W-00]",
		},
		{
			name: "dependency not at hand", spec: "  values:\n  - platform: {nats: {enabled: true}}\n  platforms: [{namespace: a}]\n",
			want: "f.yaml:6:23: release a/dynamo-platform turns on nats.enabled, but the chart nats 1.3.2 from https://nats.example.com is not at hand (where there is a network: `wheelhouse deps pull -f f.yaml`; where there is none: `wheelhouse bundle load BUNDLE -f f.yaml`; or set platform.nats.enabled: false)",
		},
		{
			name: "dependency with CRDs in a folder", spec: "  values:\n  - platform: {queues: {enabled: true}}\n  platforms: [{namespace: a}]\n",
			want: "note: f.yaml:7:15: release a/dynamo-platform turns on a dependency with 1 CRDs of its own, such as queues.example.com",
		},
		{
			name: "two platforms in a namespace", spec: "  platforms:\n  - {namespace: a}\n  - {namespace: a, release: other}\n",
			want: "f.yaml:7:5: namespace a already has a platform, see f.yaml:6:5 (give each platform a namespace of its own, and one to serve that no other serves) [C-38]",
		},
		{
			name: "mixed scopes", spec: "  platforms:\n  - {namespace: a}\n  - {namespace: b, scope: cluster}\n",
			want: "f.yaml:6:5: platform a/dynamo-platform is restricted to its namespace, but platform b/dynamo-platform (f.yaml:7:5) is cluster-wide",
		},
		{
			name: "two cluster-wide platforms", spec: "  platforms:\n  - {namespace: a, scope: cluster}\n  - {namespace: b, scope: cluster}\n",
			want: "f.yaml:7:5: platform b/dynamo-platform is cluster-wide too, but platform a/dynamo-platform (f.yaml:6:5) is cluster-wide",
		},
		{
			name: "mixed scopes by explicit override", spec: "  values:\n  - platform: {dynamo-operator: {namespaceRestriction: {allowMixedScopes: true}}}\n  platforms: [{namespace: a}, {namespace: b, scope: cluster}]\n",
		},
		{
			name: "scope contradicted by values", spec: "  platforms:\n  - namespace: a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {enabled: false}}}}]\n",
			want: "f.yaml:7:67: namespaceRestriction.enabled is false, but platform a/dynamo-platform (f.yaml:6:5) has scope: namespace",
		},
		{
			name: "restriction elsewhere", spec: "  platforms:\n  - namespace: a\n    values: [{platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: z}}}}]\n",
			want: `f.yaml:7:67: targetNamespace is "z", but platform a/dynamo-platform (f.yaml:6:5) serves namespace a`,
		},
		{
			name: "NATS announced but not installed", spec: "  values:\n  - platform: {dynamo-operator: {nats: {enabled: true}}}\n  platforms: [{namespace: a}, {namespace: b}]\n",
			want: "f.yaml:6:41: platform a/dynamo-platform tells its workloads about nats (dynamo-operator.nats.enabled), but does not install it (nats.enabled) and names no address; the same in 1 more releases",
		},
		{name: "NATS elsewhere", spec: "  values:\n  - platform: {dynamo-operator: {nats: {enabled: true}, natsAddr: 'nats://x'}}\n  platforms: [{namespace: a}]\n"},
		{
			name: "etcd announced but not installed", spec: "  values:\n  - platform: {dynamo-operator: {etcd: {enabled: true}}}\n  platforms: [{namespace: a}]\n",
			want: "tells its workloads about etcd",
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, check.Values) })
	}
}

func TestObjectRules(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, c := range []ruleCase{
		{name: "fine", spec: "  platforms: [{namespace: a}, {namespace: b}]\n", rendered: true},
		{
			name: "name too long", spec: "  platforms:\n  - namespace: a\n    values: [{platform: {name: " + long + "}}]\n", rendered: true,
			want: "release a/dynamo-platform renders Service with a name of 64 characters, 63 are allowed",
		},
		{
			name: "two releases, one ClusterRole", spec: "  values: [{platform: {dynamo-operator: {namespaceRestriction: {allowMixedScopes: true}}}}]\n  platforms:\n  - {namespace: a, scope: cluster}\n  - {namespace: b, scope: cluster}\n", rendered: true,
			want: "f.yaml:8:5: release b/dynamo-platform renders ClusterRole/fixed, which release a/dynamo-platform (f.yaml:7:5) renders as well",
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, check.Objects) })
	}
}

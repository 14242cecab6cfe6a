package chart_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// foreign is a chart of one template, as somebody else might write it.
func foreign(t *testing.T, template string, more map[string]string) *chart.Chart {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"Chart.yaml": "apiVersion: v2\nname: foreign\nversion: 1.0.0\n", "templates/all.yaml": template}
	for name, content := range more {
		files[name] = content
	}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := chart.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func renderForeign(t *testing.T, c *chart.Chart, lookup chart.Lookup) *chart.Rendered {
	t.Helper()
	rendered, err := c.RenderLive(chart.Release{Name: "r", Namespace: "ns"}, nil, chart.OfflineCapabilities(), lookup)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

const endings = `{{- range $i, $e := list "|" "|-" "|+" ">" ">-" ">+" }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "ending-{{ $i }}"}
data:
  text: {{ $e }}
    first line
    last line

{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: quoted}
data:
  text: "first line
    last line\n"
  last: |+
    kept


---
apiVersion: v1
kind: ConfigMap
metadata: {name: no-line-break-at-all}
data:
  text: |
    last line`

// What we apply is what Helm's client reads from the manifest, byte for byte:
// how a block of text ends depends on the line breaks behind it.
func TestObjectsAreWhatHelmReadsFromTheManifest(t *testing.T) {
	for name, template := range map[string]string{
		"endings":  endings,
		"comments": "# A licence, say.\n---\n# And another one.\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n\n---\n",
		"list":     "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n",
		"no list":  "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {items: [x]}\n",
		"json":     `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			rendered := renderForeign(t, foreign(t, template, nil), nil)
			want := readLikeHelm(t, rendered.Manifest)
			for from, objects := range map[string][]chart.Object{"rendered": rendered.Objects, "stored": stored(t, rendered.Manifest)} {
				var got []string
				for _, o := range objects {
					data, err := o.JSON()
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, string(data))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-helm +ours):\n%s", from, diff)
				}
			}
		})
	}
}

func stored(t *testing.T, manifest string) []chart.Object {
	t.Helper()
	objects, err := chart.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// readLikeHelm reads a manifest with the reader that Helm's client uses; lists
// are taken apart as it does.
func readLikeHelm(t *testing.T, manifest string) (out []string) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		var raw rawObject
		if err := decoder.Decode(&raw); err != nil {
			return out
		}
		text := string(bytes.TrimSpace(raw))
		if list, ok := strings.CutPrefix(text, `{"apiVersion":"v1","items":[`); ok {
			items, _, _ := strings.Cut(list, `],"kind":"List"`)
			for i, item := range strings.SplitAfter(items, "}},") {
				_ = i
				out = append(out, strings.TrimSuffix(item, ","))
			}
			continue
		}
		if text != "" && text != "null" {
			out = append(out, text)
		}
	}
}

type rawObject []byte

func (r *rawObject) UnmarshalJSON(data []byte) error {
	*r = append((*r)[:0], data...)
	return nil
}

const token = `{{- $old := lookup "v1" "Secret" .Release.Namespace "token" }}
{{- $token := randAlphaNum 24 | b64enc }}
{{- if $old }}{{ $token = index $old.data "token" }}{{ end }}
apiVersion: v1
kind: Secret
metadata: {name: token, annotations: {sum: "{{ $token | sha256sum }}"}}
data: {token: "{{ $token }}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: steady}
`

func TestWhatIsRandomIsNamedUntilItIsKept(t *testing.T) {
	c := foreign(t, token, nil)
	offline := renderForeign(t, c, nil)
	if len(offline.Varying) != 1 || offline.Varying[0].String() != "Secret/token (data.token, metadata.annotations.sum)" {
		t.Errorf("varying: %v", offline.Varying)
	}
	if strings.Contains(offline.Steady(), "kind: Secret") || !strings.Contains(offline.Steady(), "name: steady") {
		t.Errorf("steady:\n%s", offline.Steady())
	}
	kept := renderForeign(t, c, func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		if apiVersion != "v1" || kind != "Secret" || namespace != "ns" || name != "token" {
			t.Errorf("looked up %s %s %s/%s", apiVersion, kind, namespace, name)
		}
		return map[string]any{"data": map[string]any{"token": "a2VwdA=="}}, nil
	})
	if len(kept.Varying) != 0 || !strings.Contains(kept.Manifest, `data: {token: "a2VwdA=="}`) {
		t.Errorf("varying %v in\n%s", kept.Varying, kept.Manifest)
	}
}

// The kinds of the crds/ folder are there before the release is, as in `helm install`.
func TestTemplatesSeeTheKindsOfTheirFolder(t *testing.T) {
	rendered := renderForeign(t, foreign(t, `{{ if .Capabilities.APIVersions.Has "example.com/v1/Widget" }}
apiVersion: example.com/v1
kind: Widget
metadata: {name: a}
{{ end }}`, map[string]string{
		"crds/widgets.yaml": "# A licence.\n---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n" +
			"spec:\n  group: example.com\n  names: {kind: Widget, plural: widgets}\n  versions: [{name: v1}]\n",
	}), nil)
	if len(rendered.Objects) != 1 {
		t.Errorf("objects: %v", rendered.Objects)
	}
}

const elsewhere = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller}
spec:
  template:
    spec:
      initContainers: [{name: i, image: "example.com/init:1"}]
      volumes: [{name: models, image: {reference: "example.com/mounted:1"}}]
      containers:
        - name: main
          image: example.com/controller:1
          args: [--sidecar-image=example.com/sidecar:1, --image-pull-policy=Always, --loader-image=example.com/loader]
          env:
            - {name: INIT_CONTAINER_IMAGE, value: "example.com/env:1"}
            - {name: WORKER_IMAGE, value: "example.com/no-tag"}
            - {name: SECRET_IMAGE, valueFrom: {configMapKeyRef: {name: c, key: k}}}
            - {name: IMAGE_PULL_POLICY, value: Always}
---
apiVersion: example.com/v1
kind: Config
metadata: {name: kai}
spec:
  a: {image: {repository: example.com/kai, name: binder, tag: v1}}
  b: {image: {registry: example.com, repository: x, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
  c: {image: {name: reservation}}
  d: {scalingPodImage: "example.com/scaling:1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: files}
data:
  config.yaml: |
    debugger: {image: example.com/debugger:1}
  helper.image: example.com/helper:1
  text: no mapping
---
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {containers: [{name: main, image: "example.com/hook:1"}]}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: xs.example.com}
spec: {versions: [{schema: {openAPIV3Schema: {properties: {image: {type: string, default: "never"}}}}}]}
`

func TestImagesAreFoundWhereverTheyStand(t *testing.T) {
	rendered := renderForeign(t, foreign(t, elsewhere, nil), nil)
	images, err := rendered.Images()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"example.com/controller:1", "example.com/debugger:1", "example.com/env:1", "example.com/helper:1", "example.com/hook:1", "example.com/init:1",
		"example.com/kai/binder:v1", "example.com/mounted:1", "example.com/scaling:1", "example.com/sidecar:1",
		"example.com/x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
	}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	run, err := rendered.RunImages()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"example.com/controller:1", "example.com/hook:1", "example.com/init:1"}, run); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	unknown, err := rendered.UnknownImages()
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		"Config/kai: spec.c.image is reservation, and the rest is not said",
		"Deployment/controller: spec.template.spec.containers[0].args is example.com/loader, and the rest is not said",
		"Deployment/controller: spec.template.spec.containers[0].env[1].WORKER_IMAGE is example.com/no-tag, and the rest is not said",
		"Deployment/controller: spec.template.spec.containers[0].env[2].SECRET_IMAGE comes from elsewhere",
	}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

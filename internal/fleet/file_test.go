package fleet

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// memory is a file system of texts.
type memory map[string]string

func (m memory) Read(path string) ([]byte, error) {
	text, ok := m[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func (m memory) Glob(pattern string) (out []string, err error) {
	for path := range m {
		ok, err := filepath.Match(pattern, path)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out, nil
}

const head = "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\n"

func TestWrongFilesAreExplained(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "f.yaml:1:1: the file is empty (see `wheelhouse init`)"},
		{"not YAML", "a: [", "f.yaml:1:1: not valid YAML: did not find expected node content"},
		{"a list", "[]", "f.yaml:1:1: the document must be a mapping, found a list"},
		{"two documents", head + "spec: {platforms: [{namespace: a}]}\n---\na: 1", "f.yaml:6:1: a fleet file holds one document, this is the second"},
		{"wrong kind", "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleets\nmetadata: {name: f}\nspec: {platforms: [{namespace: a}]}", `f.yaml:2:7: kind is "Fleets"; it must be one of: Fleet (did you mean "Fleet"?)`},
		{"misspelt field", head + "spec:\n  plattforms: []\n", `f.yaml:5:3: unknown field "plattforms" in spec (did you mean "platforms"?)`},
		{"unknown field", head + "spec:\n  zzz: []\n  platforms: [{namespace: a}]\n", `f.yaml:5:3: unknown field "zzz" in spec (known fields: chart`},
		{"field twice", head + "spec:\n  platforms: [{namespace: a}]\n  platforms: []\n", `f.yaml:6:3: field "platforms" is given twice`},
		{"no namespace", head + "spec:\n  platforms:\n    - scope: cluster\n", `f.yaml:6:7: spec.platforms[0] needs the field "namespace"`},
		{"bad namespace", head + "spec:\n  platforms:\n    - namespace: Team_A\n", `f.yaml:6:18: spec.platforms[0].namespace "Team_A" is not a namespace name (small letters, digits and dashes, at most 63 long)`},
		{"bad scope", head + "spec:\n  platforms:\n    - {namespace: a, scope: all}\n", `f.yaml:6:29: spec.platforms[0].scope is "all"; it must be one of: namespace, cluster`},
		{"number for a text", head + "spec:\n  platforms:\n    - namespace: 1\n", `f.yaml:6:18: spec.platforms[0].namespace must be a text, found "1"`},
		{"unknown chart", head + "spec:\n  values:\n    - platforn: {}\n  platforms: [{namespace: a}]\n", `f.yaml:6:7: unknown chart "platforn"; values are keyed by chart: conversion, crds, platform, chrek (did you mean "platform"?)`},
		{"key twice", head + "spec:\n  values:\n    - platform: {a: 1, a: 2}\n  platforms: [{namespace: a}]\n", `f.yaml:6:24: key "a" is given twice`},
		{"registry URL", head + "spec:\n  shared: {registry: https://r.example.com}\n  platforms: [{namespace: a}]\n", `f.yaml:5:22: spec.shared.registry is a host with an optional path, not a URL: write it without "https://"`},
		{"word for a boolean", head + "spec:\n  shared: {checkpoint: {enabled: maybe}}\n  platforms: [{namespace: a}]\n", `f.yaml:5:34: spec.shared.checkpoint.enabled must be true or false, found "maybe"`},
		{"storage of another name", head + "spec:\n  platforms:\n    - namespace: a\n      checkpoint: {storage: {storageClass: x}}\n", `f.yaml:7:30: unknown field "storageClass" in spec.platforms[0].checkpoint.storage (known fields: accessMode, basePath, class, name, size)`},
		{"shared namespaces", head + "spec:\n  shared: {checkpoint: {namespaces: [a]}}\n  platforms: [{namespace: a}]\n", `f.yaml:5:25: unknown field "namespaces" in spec.shared.checkpoint`},
		{"no platforms", head + "spec: {}\n", "f.yaml:1:1: the fleet has no platforms (list at least one under spec.platforms; a fleet of the custom resource definitions alone says platforms: [])"},
		{"nothing at all", head + "spec: {platforms: [], crds: {install: false}}\n", "f.yaml:1:1: the fleet has no platforms (list at least one under spec.platforms; a fleet of the custom resource definitions alone says platforms: [])"},
		{"glob without match", head + "spec: {platformsFrom: 'tenants/*.yaml'}\n", `f.yaml:4:23: no file matches "tenants/*.yaml"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(memory{"f.yaml": test.text}, "f.yaml", "")
			if err == nil {
				t.Fatal("expected an error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestMissingFilesSayWhoAskedForThem(t *testing.T) {
	files := memory{"d/f.yaml": head + "spec:\n  values:\n    - v/a.yaml\n  platforms:\n    - {namespace: a, values: [v/b.yaml]}\n"}
	f, err := Load(files, "d/f.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(f, Input{Files: files, Profiles: fstest.MapFS{}})
	want := "d/f.yaml:6:7: cannot read values file d/v/a.yaml: no such file\n" +
		"d/f.yaml:8:31: cannot read values file d/v/b.yaml: no such file"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestLayersAreStackedInOrder(t *testing.T) {
	files := memory{
		"f.yaml": head + `spec:
  profiles: [p, own.yaml]
  shared: {registry: mirror.example.com, imagePullSecrets: [pull]}
  values:
    - common.yaml
    - platform: {inline: fleet, both: fleet}
  platforms:
    - namespace: a
      values: [a.yaml]
    - {namespace: b, scope: cluster, release: big}
  platformsFrom: [tenants/*.yaml]
`,
		"own.yaml":             "platform: {own: profile, common: profile}",
		"common.yaml":          "platform: {common: fleet, both: file}",
		"a.yaml":               "platform: {inline: a, gone: null}",
		"tenants/c.yaml":       "namespace: c\nvalues: [c-values.yml]\n---\nnamespace: d\n",
		"tenants/c-values.yml": "platform: {inline: c}",
	}
	profiles := fstest.MapFS{"p.yaml": {Data: []byte("platform: {own: shipped, level: shipped}")}}
	defaults := map[string]*Value{ChartPlatform: values(t, LayerDefaults, "level: default\ngone: default\nkept: default\nglobal: {imageRegistry: '', other: 1}")}

	f, err := Load(files, "f.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Resolve(f, Input{Files: files, Profiles: profiles, Defaults: defaults, Set: Flags{Set: []string{"platform.level=flag,platform.n=3"}}})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, rel := range set.Releases {
		keys = append(keys, rel.String()+" "+rel.Chart+" "+rel.Scope)
	}
	wantKeys := []string{"default/dynamo-crds crds ", "a/dynamo-platform platform namespace", "b/big platform cluster", "c/dynamo-platform platform namespace", "d/dynamo-platform platform namespace"}
	if diff := cmp.Diff(wantKeys, keys); diff != "" {
		t.Error(diff)
	}
	restricted := func(on bool) map[string]any {
		return map[string]any{"namespaceRestriction": map[string]any{"enabled": on}}
	}
	global := map[string]any{"imageRegistry": "mirror.example.com", "other": 1.0, "imagePullSecrets": []any{map[string]any{"name": "pull"}},
		"image": map[string]any{"registry": "mirror.example.com", "pullSecretNames": []any{"pull"}}}
	want := map[string]any{
		"own": "profile", "common": "fleet", "inline": "a", "both": "fleet", "level": "flag", "n": 3.0, "kept": "default",
		"global": global, "dynamo-operator": restricted(true),
	}
	if diff := cmp.Diff(want, set.Releases[1].Values.PlainMap()); diff != "" {
		t.Error(diff)
	}
	if got := set.Releases[2].Values.At("dynamo-operator", "namespaceRestriction", "enabled").Plain(); got != false {
		t.Errorf("a cluster-wide platform is restricted: %v", got)
	}
	if got := set.Releases[3].Values.At("inline").Plain(); got != "c" {
		t.Errorf("values beside a tenant's file: %v", got)
	}
	if origin := set.Releases[1].Values.At("global", "imageRegistry").Origin.String(); origin != "f.yaml:6:22" {
		t.Errorf("origin of a shared fact: %s", origin)
	}
	if origin := set.Releases[1].Values.At("level").Origin.String(); origin != "--set platform.level" {
		t.Errorf("origin of a flag: %s", origin)
	}
	if got := set.Releases[1].Overrides.At("gone"); !got.IsNull() {
		t.Errorf("Helm must see the null that deletes a default, got %v", got.Plain())
	}
}

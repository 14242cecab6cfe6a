package fleet

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func resolved(t *testing.T, spec string) (*Set, error) {
	t.Helper()
	return resolvedWith(t, "conversion: {enabled: false}", spec)
}

// resolvedWith has a chart of CRDs with these values.
func resolvedWith(t *testing.T, crds, spec string) (*Set, error) {
	t.Helper()
	f, err := Load(memory{"f.yaml": head + "spec:\n" + spec}, "f.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	return Resolve(f, Input{Files: memory{}, Profiles: fstest.MapFS{}, Defaults: map[string]*Value{
		ChartCRDs:     values(t, LayerDefaults, crds),
		ChartChrek:    values(t, LayerDefaults, "{storage: {pvc: {name: chrek-pvc, size: 100Gi, basePath: /checkpoints}}, seccomp: {deploy: true}}"),
		ChartPlatform: values(t, LayerDefaults, "dynamo-operator: {checkpoint: {storage: {pvc: {pvcName: chrek-pvc, basePath: /checkpoints}}}}"),
	}})
}

// Each namespace that is prepared gets one release, once its platform is ready.
func TestWhoIsPreparedForCheckpoints(t *testing.T) {
	for _, test := range []struct{ name, spec, want string }{
		{"nobody", "  platforms: [{namespace: a}]\n", ""},
		{"all but one", "  shared: {checkpoint: {enabled: true}}\n  platforms: [{namespace: a}, {namespace: b, checkpoint: {enabled: false}}, {namespace: c, release: p}]\n",
			"a/chrek after a/dynamo-platform, c/chrek after c/p"},
		{"one alone", "  shared: {checkpoint: {storage: {size: 1Ti}}}\n  platforms: [{namespace: a}, {namespace: b, checkpoint: {enabled: true}}]\n",
			"b/chrek after b/dynamo-platform"},
		{"a cluster-wide platform's own namespace", "  platforms: [{namespace: a, scope: cluster, checkpoint: {enabled: true}}]\n", "a/chrek after a/dynamo-platform"},
		{"those that it names", "  platforms: [{namespace: a, scope: cluster, checkpoint: {enabled: true, namespaces: [x, y]}}]\n",
			"x/chrek after a/dynamo-platform, y/chrek after a/dynamo-platform"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := resolved(t, test.spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, rel := range set.Releases {
				if rel.Chart == ChartChrek {
					got = append(got, rel.String()+" after "+rel.After[0].String())
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The agent writes profiles on the nodes only from where tenants cannot edit.
func TestAnAgentAmongTenantsWritesNoProfiles(t *testing.T) {
	for _, test := range []struct {
		name, spec string
		want       bool
	}{
		{"beside its graphs", "  platforms: [{namespace: a, checkpoint: {enabled: true}}]\n", false},
		{"beside its graphs, and says so", "  platforms: [{namespace: a, serves: a, checkpoint: {enabled: true}}]\n", false},
		{"apart", "  platforms: [{namespace: a-platform, serves: a, checkpoint: {enabled: true}}]\n", true},
		{"for all", "  platforms: [{namespace: a, scope: cluster, checkpoint: {enabled: true}}]\n", true},
		{"in namespaces that a platform for all names", "  platforms: [{namespace: a, scope: cluster, checkpoint: {enabled: true, namespaces: [x, y]}}]\n", false},
		{"a fleet that asks for it", "  values: [{chrek: {seccomp: {deploy: true}}}]\n  platforms: [{namespace: a, checkpoint: {enabled: true}}]\n", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := resolved(t, test.spec)
			if err != nil {
				t.Fatal(err)
			}
			for _, rel := range set.Releases {
				if rel.Chart != ChartChrek {
					continue
				}
				if got := rel.Values.At("seccomp", "deploy").Plain(); got != test.want {
					t.Errorf("seccomp.deploy is %v, want %v", got, test.want)
				}
			}
		})
	}
}

// An engine is root on its nodes, so it is on where no tenant edits, and serves the
// namespace of the graphs from there.
func TestTheEngineIsOnWhereNoTenantEdits(t *testing.T) {
	for _, test := range []struct{ name, spec, want string }{
		{"beside its graphs", "  platforms: [{namespace: a, checkpoint: {enabled: true}}]\n", "a/chrek off, operator off"},
		{"apart", "  platforms: [{namespace: a-platform, serves: a, checkpoint: {enabled: true}}]\n", "a-platform/chrek serves a, operator on profiles/block-iouring.json"},
		{"for all", "  platforms: [{namespace: a, scope: cluster, checkpoint: {enabled: true}}]\n", "a/chrek off, operator off"},
		{"apart, told not to", "  values: [{chrek: {engine: {enabled: false}}, platform: {dynamo-operator: {checkpoint: {enabled: false}}}}]\n  platforms: [{namespace: a-platform, serves: a, checkpoint: {enabled: true}}]\n",
			"a-platform/chrek off, operator off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := resolved(t, test.spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, rel := range set.Releases {
				is := func(path ...string) bool { v := rel.Values.At(path...); return v != nil && v.Plain() == true }
				switch {
				case rel.Chart == ChartChrek && is("engine", "enabled"):
					got = append(got, rel.String()+" serves "+rel.Values.At("namespaceRestriction", "targetNamespace").Plain().(string))
				case rel.Chart == ChartChrek:
					got = append(got, rel.String()+" off")
				case rel.Chart == ChartPlatform && is("dynamo-operator", "checkpoint", "enabled"):
					got = append(got, "operator on "+rel.Values.At("dynamo-operator", "checkpoint", "seccompProfile").Plain().(string))
				case rel.Chart == ChartPlatform:
					got = append(got, "operator off")
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The agent and the operator are told the same claim and path, by the strongest
// layer that names them; a value that is given by hand is stronger than a fact.
func TestStorageIsStatedOnce(t *testing.T) {
	set, err := resolved(t, `  shared:
    registry: r.example.com
    checkpoint:
      enabled: true
      storage:
        name: shared
        basePath: /shared
        size: 1Ti
        class: nfs
  platforms:
    - namespace: a
    - namespace: b
      checkpoint:
        storage:
          name: own
      values:
        chrek:
          storage:
            pvc:
              size: 2Ti
    - {namespace: c, checkpoint: {enabled: false, storage: {name: own}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, rel := range set.Releases {
		for _, path := range []string{
			"storage.pvc.name", "storage.pvc.basePath", "storage.pvc.size", "storage.pvc.storageClass", "global.imageRegistry",
			"dynamo-operator.checkpoint.storage.pvc.pvcName", "dynamo-operator.checkpoint.storage.pvc.basePath",
		} {
			if v := rel.Values.At(SplitPath(path)...); v != nil && v.Origin.Layer != LayerDefaults {
				text, _ := v.Plain().(string)
				got[rel.Namespace+" "+rel.Chart+" "+path] = text + " " + v.Origin.String()
			}
		}
	}
	want := map[string]string{
		"a platform global.imageRegistry":                            "r.example.com f.yaml:6:15",
		"a platform dynamo-operator.checkpoint.storage.pvc.pvcName":  "shared f.yaml:10:15",
		"a platform dynamo-operator.checkpoint.storage.pvc.basePath": "/shared f.yaml:11:19",
		"a chrek global.imageRegistry":                               "r.example.com f.yaml:6:15",
		"a chrek storage.pvc.name":                                   "shared f.yaml:10:15",
		"a chrek storage.pvc.basePath":                               "/shared f.yaml:11:19",
		"a chrek storage.pvc.size":                                   "1Ti f.yaml:12:15",
		"a chrek storage.pvc.storageClass":                           "nfs f.yaml:13:16",
		"b platform global.imageRegistry":                            "r.example.com f.yaml:6:15",
		"b platform dynamo-operator.checkpoint.storage.pvc.pvcName":  "own f.yaml:19:17",
		"b platform dynamo-operator.checkpoint.storage.pvc.basePath": "/shared f.yaml:11:19",
		"b chrek global.imageRegistry":                               "r.example.com f.yaml:6:15",
		"b chrek storage.pvc.name":                                   "own f.yaml:19:17",
		"b chrek storage.pvc.basePath":                               "/shared f.yaml:11:19",
		"b chrek storage.pvc.size":                                   "2Ti f.yaml:24:15",
		"b chrek storage.pvc.storageClass":                           "nfs f.yaml:13:16",
		"c platform global.imageRegistry":                            "r.example.com f.yaml:6:15",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNamespacesThatCannotBePrepared(t *testing.T) {
	for _, test := range []struct{ name, spec, want string }{
		{"of others", "  platforms:\n    - namespace: a\n      checkpoint: {enabled: true, namespaces: [b]}\n",
			"f.yaml:7:48: platform a/dynamo-platform serves its own namespace only and prepares no other (remove checkpoint.namespaces, or set scope: cluster)"},
		{"twice", "  platforms:\n    - namespace: a\n      scope: cluster\n      checkpoint: {enabled: true, namespaces: [b, b]}\n",
			"f.yaml:8:51: release b/chrek is asked for twice, see f.yaml:8:48 (name each namespace once, and no platform chrek)"},
		{"whose platform has the name", "  platforms:\n    - namespace: a\n      release: chrek\n      checkpoint: {enabled: true}\n",
			"release a/chrek is asked for twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := resolved(t, test.spec)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

// What would be ignored, or taken for something else, is refused.
func TestConversionIsAskedForWhereItCanBe(t *testing.T) {
	const serves = "conversion: {enabled: false}"
	for _, test := range []struct{ name, crds, spec, want string }{
		{"with the CRDs", serves, "  crds: {conversion: true}\n  platforms: [{namespace: a}]\n", ""},
		{"with CRDs of one version", "other: 1", "  crds: {conversion: true}\n  platforms: [{namespace: a}]\n", "f.yaml:5:22: spec.crds.conversion is true, but the chart of the CRDs knows no value conversion: it serves one version alone"},
		{"without them", serves, "  crds: {install: false, conversion: true}\n  platforms: [{namespace: a}]\n", "spec.crds.conversion is true, but this fleet does not install the CRDs"},
		{"a platform of its name", serves, "  platforms: [{namespace: a, release: dynamo-conversion}]\n", "platform a/dynamo-conversion is called as the release that converts objects"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := resolvedWith(t, test.crds, test.spec)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

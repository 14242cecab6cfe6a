package config

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	apiOnly = Params{Name: "api", Dir: "/state/clusters/api", APIOnly: true, APIPort: 20000, EtcdPort: 20001}
	node    = Params{Name: "full", Dir: "/state/clusters/full", GPUs: 2, Block: 203, APIPort: NodeAPIPort, EtcdPort: NodeEtcdPort}
	runtime = Runtime{Containerd: "/usr/bin/containerd", CNIPlugins: "/usr/lib/cni", RestrictOOMScore: true}
)

func TestWhatAClusterIsStartedWith(t *testing.T) {
	nodeComponents := append(ControlPlane(node), Containerd(node, runtime))
	nodeComponents = append(nodeComponents, NodeComponents(node, runtime)...)
	nodeFiles := maps.Clone(Files())
	maps.Copy(nodeFiles, NodeFiles(node, runtime))
	tests := []struct {
		golden     string
		params     Params
		components []Component
		files      map[string]string
	}{
		{"api-only", apiOnly, ControlPlane(apiOnly), Files()},
		{"node", node, nodeComponents, nodeFiles},
	}
	for _, test := range tests {
		t.Run(test.golden, func(t *testing.T) {
			compareGolden(t, test.golden, render(test.params, test.components, test.files))
		})
	}
}

func render(p Params, components []Component, files map[string]string) string {
	var out strings.Builder
	for _, component := range components {
		fmt.Fprintf(&out, "=== %s %s\n%s\n", component.Name, component.Path, strings.Join(component.Args, "\n"))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&out, "=== file %s\n%s", name, files[name])
	}
	for _, object := range Objects(p) {
		fmt.Fprintf(&out, "=== object %s\n%s", object.Path, object.YAML)
	}
	return out.String()
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got); if that is meant: go test ./internal/config -update\n%s", path, diff)
	}
}

func TestNamesAreAllThatIsStarted(t *testing.T) {
	for _, p := range []Params{apiOnly, node} {
		started := ControlPlane(p)
		if !p.APIOnly {
			started = append(started, Containerd(p, runtime))
			started = append(started, NodeComponents(p, runtime)...)
		}
		var names []string
		for _, component := range started {
			names = append(names, component.Name)
		}
		want := Names(p)
		slices.Sort(names)
		slices.Sort(want)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("cluster %s: what is stopped differs from what is started (-stopped +started)\n%s", p.Name, diff)
		}
	}
}

func TestANodeWithoutGPUsHasNoGPULabels(t *testing.T) {
	if labels := nodeLabels(0); len(labels) > 0 {
		t.Errorf("got %v", labels)
	}
}

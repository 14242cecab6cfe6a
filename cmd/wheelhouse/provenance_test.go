package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// everyLayer uses each kind of layer: the profiles are filled in.
const everyLayer = `apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: f}
spec:
  profiles: [PROFILES]
  shared: {registry: mirror.example.com, imagePullSecrets: [pull]}
  values:
    - platform: {nats: {enabled: false}, dynamo-operator: {controllerManager: {logLevel: warn, replicas: 3}}}
  platforms:
    - namespace: a
      values: [{platform: {dynamo-operator: {controllerManager: {replicas: null}}}}]
    - {namespace: b}
`

func readFleet(t *testing.T, file string, set ...string) *rollout.Desired {
	t.Helper()
	var errors bytes.Buffer
	a := &app{file: file, kube: kubeFlags(), set: fleet.Flags{Set: set}, err: &errors}
	desired, err := rollout.Read(a.source(nil))
	if err != nil {
		t.Fatal(err)
	}
	return desired
}

// Every value that a template can read has a place that set it, and is what
// Helm computes from the chart and our overrides.
func TestEveryEffectiveLeafHasAnOrigin(t *testing.T) {
	names, err := filepath.Glob("../../charts/profiles/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	var all [][]byte
	for _, name := range names {
		all = append(all, []byte(filepath.Base(name[:len(name)-len(".yaml")])))
	}
	file := filepath.Join(t.TempDir(), "fleet.yaml")
	text := bytes.ReplaceAll([]byte(everyLayer), []byte("PROFILES"), bytes.Join(all, []byte(", ")))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, desired := range []*rollout.Desired{
		readFleet(t, "../../demo/fleet.yaml", "platform.nats.enabled=false"),
		readFleet(t, file, "platform.dynamo-operator.natsAddr=nats://n:4222"),
	} {
		for _, rel := range desired.Set.Releases {
			checkLeaves(t, rel)
			work := desired.Charts[rel.Chart].Helm()
			rendered, err := util.ToRenderValues(work, rel.Overrides.PlainMap(), common.ReleaseOptions{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			seen, ok := rendered["Values"].(common.Values)
			if !ok {
				t.Fatalf("Helm gives templates %T", rendered["Values"])
			}
			if diff := cmp.Diff(viaJSON(t, seen), viaJSON(t, rel.Values.PlainMap())); diff != "" {
				t.Errorf("%s: %s", rel.Key, diff)
			}
		}
	}
}

func checkLeaves(t *testing.T, rel fleet.Release) {
	t.Helper()
	leaves := fleet.Explain(rel.Values, "")
	if rel.Chart == fleet.ChartPlatform && len(leaves) < 75 {
		t.Errorf("%s: only %d leaves", rel.Key, len(leaves))
	}
	for _, leaf := range leaves {
		if o := leaf.Origin; leaf.Path != "" && nowhere(o) {
			t.Errorf("%s: %s has the origin %+v", rel.Key, leaf.Path, o)
		}
		for _, lost := range leaf.Overrode {
			if o := lost.Origin; nowhere(o) {
				t.Errorf("%s: %s overrode %v with the origin %+v", rel.Key, leaf.Path, lost.Value, o)
			}
		}
	}
}

// nowhere: not a line of a file, and not a flag.
func nowhere(o fleet.Origin) bool {
	return o.Layer == "" || o.File == "" || o.Layer != fleet.LayerSet && o.Line == 0
}

// viaJSON makes maps and numbers of different types comparable.
func viaJSON(t *testing.T, v any) (out any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

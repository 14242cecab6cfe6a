package trace_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/trace"
)

const live = `
metadata:
  managedFields:
  - {manager: wheelhouse, operation: Apply, time: "2026-01-02T03:04:05Z", fieldsV1: {
      "f:spec": {"f:replicas": {}, "f:selector": {},
        "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}},
        "f:finalizers": {'v:"a"': {}}, "f:odd": {"i:1": {}}}}}
  - {manager: kubectl-scale, operation: Update, subresource: scale, fieldsV1: {"f:spec": {"f:replicas": {}}}}
  - {manager: controller, operation: Update, subresource: status, fieldsV1: {"f:status": {"f:ready": {}}}}
spec:
  replicas: 3
  selector: {matchLabels: {app: x}}
  ports: [{port: 443, protocol: TCP, name: other}, {port: 80, protocol: TCP, name: web, targetPort: 80}]
  finalizers: [b, a]
  odd: [x, y]
status: {ready: true}
`

func TestOwnersOfFields(t *testing.T) {
	var object map[string]any
	if err := yaml.Unmarshal([]byte(live), &object); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string][]string{
		"spec.replicas":              {"wheelhouse Apply ", "kubectl-scale Update scale"},
		"spec.ports[web].name":       {"wheelhouse Apply "},
		"spec.ports[1]":              {"wheelhouse Apply "},
		"spec.ports[0].name":         nil,
		"spec.ports[80].port":        nil,
		"spec.ports[port=80].port":   {"wheelhouse Apply "},
		"spec.ports[web].targetPort": nil,
		"spec.selector.matchLabels":  {"wheelhouse Apply "},
		"spec.finalizers[1]":         {"wheelhouse Apply "},
		"spec.finalizers[0]":         nil,
		"spec.odd[1]":                {"wheelhouse Apply "},
		"status.ready":               {"controller Update status"},
		"spec.nothing":               nil,
	} {
		path, err := trace.ParsePath(field)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range trace.Owners(object, path) {
			got = append(got, o.Manager+" "+o.Operation+" "+o.Subresource)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", field, diff)
		}
	}
	path, err := trace.ParsePath("spec.replicas")
	if err != nil {
		t.Fatal(err)
	}
	if at := trace.Owners(object, path)[0].Time; at.Year() != 2026 {
		t.Errorf("set at %s", at)
	}
}

func TestLiveFieldsAreCompared(t *testing.T) {
	subjects := subjectsOf(t, tricky, "  platforms: [{namespace: a}]\n")
	subject, object, err := trace.Find(subjects, "deploy/dynamo-platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, field, live string
		differs, present  bool
	}{
		{"the same", "spec.replicas", "{spec: {replicas: 1}}", false, true},
		{"scaled", "spec.replicas", "{spec: {replicas: 3}}", true, true},
		{"taken away", "spec.replicas", "{spec: {}}", true, false},
		{"defaulted below", "spec.containers[0]", "{spec: {containers: [{name: main, image: 'r:1.0.0', args: [quiet], ports: [{name: http, port: 80, protocol: TCP}], pullPolicy: x}]}}", false, true},
		{"defaulted", "spec.strategy", "{spec: {strategy: x}}", false, true},
		{"nowhere", "spec.strategy", "{spec: {}}", false, false},
		{"an item more", "spec.containers", "{spec: {containers: [{name: main}, {name: injected}]}}", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, err := trace.ParsePath(test.field)
			if err != nil {
				t.Fatal(err)
			}
			f, err := trace.Explain(t.Context(), subject, object, path)
			if err != nil {
				t.Fatal(err)
			}
			var live map[string]any
			if err := yaml.Unmarshal([]byte(test.live), &live); err != nil {
				t.Fatal(err)
			}
			f.Compare(live, path)
			if !f.Live.Exists || f.Live.Differs != test.differs || f.Live.Present != test.present {
				t.Errorf("%+v", f.Live)
			}
			f.Compare(nil, path)
			if f.Live.Exists || f.Live.Differs {
				t.Errorf("an absent object: %+v", f.Live)
			}
		})
	}
}

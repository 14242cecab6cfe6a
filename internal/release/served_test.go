package release

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A record is read as the cluster serves it: what is served stays byte for byte, what
// lives on in another version goes there, what has gone is left out, and hooks run as
// they are written.
func TestServed(t *testing.T) {
	const (
		stays  = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: stays # kept\ndata:\n  text: |+\n    two\n\n"
		moves  = "apiVersion: a.example.com/v1beta1\nkind: Moved\nmetadata:\n  name: moves\n"
		gone   = "apiVersion: b.example.com/v1\nkind: Gone\nmetadata:\n  name: gone\n"
		hook   = "apiVersion: b.example.com/v1\nkind: Gone\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: pre-delete\n"
		listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: a.example.com/v1beta1, kind: Moved, metadata: {name: listed}}\n- {apiVersion: b.example.com/v1, kind: Gone, metadata: {name: listed}}\n"
	)
	version := func(apiVersion, kind string) (string, error) {
		switch kind {
		case "Moved":
			return "a.example.com/v1", nil
		case "Gone":
			return "", nil
		default:
			return apiVersion, nil
		}
	}
	for _, test := range []struct {
		name, manifest string
		want           string
		vanished       []string
	}{
		{"all is served", "---\n# Source: c/templates/a.yaml\n" + stays, "---\n# Source: c/templates/a.yaml\n" + stays, nil},
		{"a version has gone", "---\n" + moves, "---\n" + strings.Replace(moves, "v1beta1", "v1", 1), nil},
		{"a kind has gone", "---\n" + moves + "---\n" + gone, "---\n" + strings.Replace(moves, "v1beta1", "v1", 1), []string{"Gone/gone"}},
		{"a hook", "---\n" + hook, "---\n" + hook, nil},
		{"a list", listed, "---\napiVersion: a.example.com/v1\nkind: Moved\nmetadata:\n  name: listed\n", []string{"Gone/listed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			recorded, err := served(test.manifest, version)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, recorded.rewrite(test.manifest)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var vanished []string
			for _, object := range recorded.vanished {
				vanished = append(vanished, object.String())
			}
			if diff := cmp.Diff(test.vanished, vanished); diff != "" {
				t.Errorf("vanished, -want +got:\n%s", diff)
			}
		})
	}
	if _, err := served(gone, func(string, string) (string, error) { return "", errors.New("no answer") }); err == nil {
		t.Error("what nobody can tell is taken for gone")
	}
}

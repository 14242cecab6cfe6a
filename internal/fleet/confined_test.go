package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A team's own fleet has its journal where the team may write, and nothing
// elsewhere; who installs CRDs or serves the cluster is no such fleet.
func TestWhoKeepsToItsNamespaces(t *testing.T) {
	for spec, want := range map[string]struct {
		journal  string
		confined []string
	}{
		"{crds: {install: false}, platforms: [{namespace: team}]}":                                                       {"team", []string{"team"}},
		"{crds: {install: false}, platforms: [{namespace: team, serves: team}]}":                                         {"team", []string{"team"}},
		"{crds: {install: false}, journal: {namespace: team}, platforms: [{namespace: a, serves: team}]}":                {"team", []string{"a", "team"}},
		"{platforms: [{namespace: team}]}":                                                                               {DefaultJournal, nil},
		"{journal: {namespace: team}, platforms: [{namespace: team}]}":                                                   {"team", nil},
		"{crds: {install: false}, platforms: [{namespace: team, scope: cluster}]}":                                       {DefaultJournal, nil},
		"{crds: {install: false}, platforms: [{namespace: a}, {namespace: b}]}":                                          {DefaultJournal, nil},
		"{crds: {install: false}, platforms: [{namespace: a, serves: team}]}":                                            {DefaultJournal, nil},
		"{crds: {install: false}, journal: {namespace: elsewhere}, platforms: [{namespace: team}]}":                      {"elsewhere", nil},
		"{crds: {install: false}, journal: {namespace: a}, platforms: [{namespace: a}, {namespace: b, scope: cluster}]}": {"a", nil},
	} {
		files := memory{"fleet.yaml": "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec: " + spec + "\n"}
		for how, read := range map[string]func(Files, string, string) (*Fleet, error){"Load": Load, "Identify": Identify} {
			f, err := read(files, "fleet.yaml", "")
			if err != nil {
				t.Fatalf("%s %s: %v", how, spec, err)
			}
			if f.Journal.Namespace.Value != want.journal {
				t.Errorf("%s %s: the journal is in %s, want %s", how, spec, f.Journal.Namespace.Value, want.journal)
			}
			if diff := cmp.Diff(want.confined, f.Confined()); diff != "" {
				t.Errorf("%s %s keeps to (-want +got):\n%s", how, spec, diff)
			}
		}
	}
}

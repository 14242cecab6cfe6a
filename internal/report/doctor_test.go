package report

import (
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
)

// The verdict comes first, a cause before what it explains, and what could not be
// looked at last. Commands are as a shell reads them.
func TestADiagnosisIsReadFromTheTop(t *testing.T) {
	claim := doctor.Place{Kind: "PersistentVolumeClaim", Namespace: "team", Name: "data"}
	d := &doctor.Diagnosis{
		Cluster: "https://c", Namespaces: []string{"team"},
		Findings: []doctor.Finding{
			{At: doctor.Place{Kind: "Cluster", Name: "as a whole"}, Note: true, Seen: "nodes: you may not list them", Next: doctor.Command{"kubectl", "auth", "can-i", "--list"}},
			{
				At: doctor.Place{Kind: "StorageClass", Name: "fast"}, Says: "no such class", Seen: "asked for by team/data", Next: doctor.Command{"kubectl", "get", "storageclass"}, Page: "page#a",
				Explains: []doctor.Finding{{At: claim, Says: "no volume", Next: doctor.Command{"kubectl", "get", "pvc", "-l", "a=b c;d"}, Page: "page#b"}},
			},
		},
	}
	var out strings.Builder
	if err := Diagnosis(&out, d); err != nil {
		t.Fatal(err)
	}
	const want = `https://c: 1 thing is wrong, which explains 1 more. Looked at: team.

1. StorageClass fast: no such class
    Seen: asked for by team/data
    Next: kubectl get storageclass
    Page: page#a
    This explains:
    - PersistentVolumeClaim team/data: no volume
        Next: kubectl get pvc -l 'a=b c;d'
        Page: page#b

Not looked at, so nothing is said of it:
  Cluster as a whole: nodes: you may not list them
    Next: kubectl auth can-i --list
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for want, d := range map[string]*doctor.Diagnosis{
		"https://c: nothing was found to be wrong. Looked at: team.\n":                           {Cluster: "https://c", Namespaces: []string{"team"}},
		"https://c: no platform was found. Name a namespace with -n, or a fleet file with -f.\n": {Cluster: "https://c"},
	} {
		var out strings.Builder
		if err := Diagnosis(&out, d); err != nil || out.String() != want {
			t.Errorf("%v: got %q, want %q", err, out.String(), want)
		}
	}
}

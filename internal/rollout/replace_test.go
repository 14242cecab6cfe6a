package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/check/inplace"
)

func TestConsentNamesWhatIsReplaced(t *testing.T) {
	replaced := func(namespace, name string) Change {
		return Change{Action: ChangeReplace, Kind: "StatefulSet", Namespace: namespace, Name: name, Replacement: &Replacement{}}
	}
	begun := replaced("a", "begun")
	begun.Replacement.Begun = true
	left := Step{Changes: []Change{replaced("d", "left")}, Left: "its namespace is being deleted"}
	plan := &Plan{Steps: []Step{{Changes: []Change{replaced("a", "nats"), begun, {Action: ChangeUpdate, Kind: "Service", Name: "x"}}}, {Changes: []Change{replaced("b", "nats"), replaced("b", "etcd")}}, left}}
	if diff := cmp.Diff([]string{"StatefulSet/etcd", "StatefulSet/nats"}, plan.Replaced()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct{ agreed, open []string }{
		{nil, []string{"StatefulSet/a/nats", "StatefulSet/b/nats", "StatefulSet/b/etcd"}},
		{[]string{"statefulset/nats"}, []string{"StatefulSet/b/etcd"}},
		{[]string{"StatefulSet/b/nats", "StatefulSet/etcd"}, []string{"StatefulSet/a/nats"}},
		{[]string{"StatefulSet/nats", "StatefulSet/etcd", "Service/x"}, nil},
	} {
		var open []string
		for _, change := range plan.Unagreed(test.agreed) {
			open = append(open, change.String())
		}
		if diff := cmp.Diff(test.open, open); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.agreed, diff)
		}
	}
}

func TestWhatIsNeverReplaced(t *testing.T) {
	for reference, fine := range map[string]bool{
		"StatefulSet/nats": true, "Service/team-a/nats": true, "nats": false, "Service/": false, "a/b/c/d": false,
		"PersistentVolumeClaim/data": false, "Namespace/team-a": false, "CustomResourceDefinition/x": false,
	} {
		if err := Recreatable(reference); (err == nil) != fine {
			t.Errorf("%s: %v", reference, err)
		}
	}
}

func TestLinesOfAReplacement(t *testing.T) {
	r := &Replacement{
		Change: inplace.Change{Fields: []inplace.Field{{Path: "roleRef.name", Old: "a", New: "b"}, {Path: "immutable", Old: true}}},
		Claims: []Claim{{Name: "data-nats-0", Old: "1Gi", New: "2Gi", Class: "fast"}},
		SetBy:  map[string]string{"roleRef.name": "set by platform.role at fleet.yaml:3:1"},
	}
	want := []string{
		"roleRef.name: a → b, set by platform.role at fleet.yaml:3:1", "immutable: true → nothing",
		"claim data-nats-0: 1Gi → 2Gi, storage class fast allows it",
	}
	if diff := cmp.Diff(want, r.Lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package crdsafety

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// v2hidden is a version that nobody can read any more.
const v2hidden = "{name: v2, served: false, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {b: {type: string}}}}}}}"

func TestHowObjectsLeaveAVersionThatEnds(t *testing.T) {
	for _, test := range []struct {
		name             string
		old, wanted      string
		hooks            string
		stored           []string
		from             string
		begins           bool
		class            Class
		says, harm       string
		nothing, harmful bool
	}{
		{name: "nothing ends", old: v1 + "," + v2, wanted: v1 + "," + v2, stored: []string{"v1"}, nothing: true, class: Safe},
		{name: "no object was ever stored in it", old: v1 + "," + v2, wanted: v1, stored: []string{"v1"}, nothing: true, class: Breaking, harmful: true},
		{name: "what is not served ends", old: v1 + "," + v2hidden, wanted: v1, stored: []string{"v1", "v2"}, from: "v2", class: Safe, says: "version v2, which was not served, is removed"},
		{
			name: "what is served ends, and shows what is lost", old: v1old + "," + v2new, wanted: v2new, stored: []string{"v1", "v2"}, from: "v1", class: Breaking, harmful: true,
			says: "version v1 is removed: programs and files that use it fail", harm: "team-a/chat: spec.a would be dropped",
		},
		{
			name: "a webhook converts", old: v1old + "," + v2new, wanted: v2new, hooks: hook, stored: []string{"v1", "v2"}, from: "v1", class: Breaking, harmful: true,
			says: "version v1 is removed: programs and files that use it fail",
		},
		{
			name: "another version is stored first", old: v1 + "," + v2, wanted: v2new, stored: []string{"v1"}, from: "v1", begins: true, class: Breaking, harmful: true,
			says: "v1 to v2 spec.a: the field is removed: values are dropped", harm: "team-a/chat: spec.a would be dropped",
		},
		{name: "one that is new", old: v1, wanted: v2new, stored: []string{"v1"}, from: "v1", begins: true, class: Breaking, harmful: true, says: "version v2 is new", harm: "team-a/chat: spec.a would be dropped"},
		{name: "one that is new to the webhook", old: v1, wanted: v2new, hooks: hook, stored: []string{"v1"}, nothing: true, class: Forbidden, harmful: true},
		{name: "nobody can read the objects", old: strings.Replace(v1, "served: true", "served: false", 1), wanted: v2new, stored: []string{"v1"}, nothing: true, class: Forbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, wanted := parse(t, "["+test.old+"]", test.hooks), parse(t, "["+test.wanted+"]", test.hooks)
			old.Status.StoredVersions = test.stored
			chat := object1(t, "team-a", "a: x")
			report, err := ReviewMoved(context.Background(), old, wanted, func(_ context.Context, _ string, page func([]map[string]any) error) error {
				return page([]map[string]any{chat})
			})
			if err != nil {
				t.Fatal(err)
			}
			if (report.Move == nil) != test.nothing || report.Worst() != test.class || report.Harmful() != test.harmful {
				t.Fatalf("move %+v, %s, harmful %v: %q", report.Move, report.Worst(), report.Harmful(), texts(report.Changes))
			}
			if test.nothing {
				return
			}
			if m := report.Move; strings.Join(m.From, ",") != test.from || m.To != storage(wanted).Name || m.Begins != test.begins || m.Objects != 1 {
				t.Errorf("%+v", m)
			}
			if !strings.Contains(strings.Join(texts(report.Changes), "\n"), test.says) {
				t.Errorf("%q", texts(report.Changes))
			}
			if got := strings.Join(harmTexts(report), "\n"); got != test.harm {
				t.Errorf("harm: %q, want %q", got, test.harm)
			}
		})
	}
}

func TestVersionsWhileObjectsMove(t *testing.T) {
	old, wanted := parse(t, "["+v1+","+v2+"]", ""), parse(t, "["+v2new+"]", "")
	old.Status.StoredVersions = []string{"v1"}
	move, err := MoveOf(old, wanted)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(name string, storage bool) map[string]any {
		return map[string]any{"name": name, "storage": storage, "served": true}
	}
	for _, test := range []struct {
		name       string
		live, want []any
	}{
		{"the other is known", []any{entry("v1", true), entry("v2", false)}, []any{entry("v1", false), entry("v2", true)}},
		{"the other is new", []any{entry("v1", true)}, []any{entry("v1", false), entry("v2", true)}},
	} {
		got := move.Versions(test.live)
		for _, v := range got {
			if entry, ok := v.(map[string]any); ok {
				delete(entry, "schema")
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if after := move.After(old); strings.Join(after.Status.StoredVersions, ",") != "v2" || strings.Join(old.Status.StoredVersions, ",") != "v1" {
		t.Errorf("%v after, %v before", after.Status.StoredVersions, old.Status.StoredVersions)
	}
}

package crdsafety

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// definition builds a CRD of one version from the schema of its spec.
func definition(t *testing.T, spec string) *Definition {
	t.Helper()
	return parse(t, "[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: "+spec+"}}}}]", "")
}

// parse builds a CRD from its versions and what else its spec says.
func parse(t *testing.T, versions, more string) *Definition {
	t.Helper()
	crd, err := Parse(fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: chats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Chat, plural: chats}
  versions: %s
  %s
`, versions, more))
	if err != nil {
		t.Fatal(err)
	}
	return crd
}

// Each row changes the schema of spec. The live object is what somebody has
// written into it; harm is what the change does to that.
func TestSchemaChangesAndTheirHarm(t *testing.T) {
	object := func(properties string) string { return "{type: object, properties: {" + properties + "}}" }
	for _, test := range []struct {
		name, old, wanted string
		class             Class
		says              string
		live, harm        string
	}{
		{"field added", object("a: {type: string}"), object("a: {type: string}, b: {type: string}"), Safe, "v1 spec.b: the field is new", "a: x", ""},
		{"field removed", object("a: {type: string}, b: {type: string}"), object("a: {type: string}"), Narrowing, "v1 spec.b: the field is removed: values are dropped", "b: x", "spec.b would be dropped"},
		{"field removed that nobody uses", object("a: {type: string}, b: {type: string}"), object("a: {type: string}"), Narrowing, "v1 spec.b: the field is removed: values are dropped", "a: x", ""},
		{"field of list items removed", object("l: {type: array, items: {type: object, properties: {a: {type: string}}}}"), object("l: {type: array, items: {type: object}}"), Narrowing, "v1 spec.l[*].a: the field is removed: values are dropped", "l: [{}, {a: x}]", "spec.l[1].a would be dropped"},
		{"field of map values removed", object("m: {type: object, additionalProperties: {type: object, properties: {a: {type: string}}}}"), object("m: {type: object, additionalProperties: {type: object}}"), Narrowing, "v1 spec.m.*.a: the field is removed: values are dropped", "m: {one: {a: x}}", "spec.m.one.a would be dropped"},
		{"type changed", object("a: {type: string}"), object("a: {type: integer}"), Narrowing, "v1 spec.a: the type changes from string to integer", "a: x", "spec.a would be invalid: must be of type integer"},
		{"type widened", object("a: {type: integer}"), object("a: {type: number}"), Safe, "v1 spec.a: the type changes from integer to number", "a: 1", ""},
		{"field required", object("a: {type: string}"), "{type: object, required: [a], properties: {a: {type: string}}}", Narrowing, "v1 spec.a: the field becomes required", "{}", "spec.a would be invalid: it is required"},
		{"field required with a default", object("a: {type: string}"), "{type: object, required: [a], properties: {a: {type: string, default: x}}}", Notable, `v1 spec.a: the field becomes required; its default "x" fills it`, "{}", ""},
		{"default changed", object("a: {type: integer, default: 1}"), object("a: {type: integer, default: 2}"), Notable, "v1 spec.a: the default changes from 1 to 2", "a: 1", ""},
		{"enum shrunk", object("a: {type: string, enum: [x, z]}"), object("a: {type: string, enum: [x]}"), Narrowing, `v1 spec.a: no longer allowed: "z"`, "a: z", `spec.a would be invalid: supported values: "x"`},
		{"enum grown", object("a: {type: string, enum: [x]}"), object("a: {type: string, enum: [x, z]}"), Safe, `v1 spec.a: also allowed: "z"`, "a: x", ""},
		{"pattern added", object("a: {type: string}"), object("a: {type: string, pattern: '^[0-9]+$'}"), Narrowing, "v1 spec.a: the pattern ^[0-9]+$ is new", "a: x", "spec.a would be invalid: should match '^[0-9]+$'"},
		{"maximum lowered", object("a: {type: integer, maximum: 5}"), object("a: {type: integer, maximum: 3}"), Narrowing, "v1 spec.a: the maximum is tightened from 5 to 3", "a: 4", "spec.a would be invalid: should be less than or equal to 3"},
		{"maximum lowered for what is too large already", object("a: {type: integer, maximum: 5}"), object("a: {type: integer, maximum: 3}"), Narrowing, "v1 spec.a: the maximum is tightened from 5 to 3", "a: 7", ""},
		{"minimum raised", object("a: {type: integer, minimum: 1}"), object("a: {type: integer, minimum: 2}"), Narrowing, "v1 spec.a: the minimum is tightened from 1 to 2", "a: 1", "spec.a would be invalid: should be greater than or equal to 2"},
		{"minimum dropped", object("a: {type: integer, minimum: 1}"), object("a: {type: integer}"), Safe, "v1 spec.a: the minimum is loosened", "a: 1", ""},
		{"length limited", object("a: {type: string}"), object("a: {type: string, maxLength: 2}"), Narrowing, "v1 spec.a: a maximum length of 2 is new", "a: xxx", "spec.a would be invalid: may not be more than 2 bytes"},
		{"items limited", object("l: {type: array, items: {type: string}}"), object("l: {type: array, maxItems: 1, items: {type: string}}"), Narrowing, "v1 spec.l: a maximum number of items of 1 is new", "l: [a, b]", "spec.l would be invalid: must have at most 1 item"},
		{"list becomes a set", object("l: {type: array, items: {type: string}}"), object("l: {type: array, x-kubernetes-list-type: set, items: {type: string}}"), Narrowing, "v1 spec.l: the list type changes from atomic to set: no item may be there twice", "l: [a, a]", "spec.l[1] would be invalid: it is there twice"},
		{"map keys changed", object("l: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [a, b], items: {type: object, required: [a, b], properties: {a: {type: string}, b: {type: string}}}}"), object("l: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [a], items: {type: object, required: [a, b], properties: {a: {type: string}, b: {type: string}}}}"), Narrowing, "v1 spec.l: the list's keys change from [a b] to [a]: no key may be there twice", "l: [{a: x, b: u}, {a: x, b: v}]", "spec.l[1] would be invalid: it is there twice"},
		{"list becomes atomic", object("l: {type: array, x-kubernetes-list-type: set, items: {type: string}}"), object("l: {type: array, items: {type: string}}"), Notable, "v1 spec.l: server-side apply replaces the list as a whole instead of merging it", "l: [a]", ""},
		{"unknown fields dropped", "{type: object, x-kubernetes-preserve-unknown-fields: true}", "{type: object, properties: {a: {type: string}}}", Narrowing, "v1 spec: unknown fields are no longer kept", "{a: x, b: z}", "spec.b would be dropped"},
		{"map becomes fixed", "{type: object, additionalProperties: {type: string}}", object("a: {type: string}"), Narrowing, "v1 spec.*: the map no longer holds any key: values are dropped", "b: z", "spec.b would be dropped"},
		{"field falls under any key", object("a: {type: string}"), "{type: object, additionalProperties: {type: string}}", Safe, "", "a: x", ""},
		{"null forbidden", object("a: {type: string, nullable: true, default: x}"), object("a: {type: string}"), Narrowing, "v1 spec.a: null is no longer allowed", "b: z", ""},
		{"rule added", object("a: {type: integer}"), "{type: object, properties: {a: {type: integer}}, x-kubernetes-validations: [{rule: 'self.a > 1', message: a is too small}]}", Narrowing, "v1 spec: a new rule must hold: self.a > 1", "a: 1", "spec would be invalid: a is too small"},
		{"rule dropped", "{type: object, properties: {a: {type: integer}}, x-kubernetes-validations: [{rule: 'self.a > 1'}]}", object("a: {type: integer}"), Safe, "v1 spec: a rule is dropped: self.a > 1", "a: 2", ""},
		{"condition added", object("a: {type: string}, b: {type: string}"), "{type: object, properties: {a: {type: string}, b: {type: string}}, oneOf: [{required: [a]}, {required: [b]}]}", Narrowing, "v1 spec: the conditions on the value (allOf, anyOf, oneOf, not) change", "{a: x, b: z}", "spec would be invalid: must validate one and only one schema (oneOf). Found 2 valid alternatives"},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := review(t, definition(t, test.old), definition(t, test.wanted), object1(t, "team-a", test.live))
			if report.Worst() != test.class {
				t.Errorf("worst is %s, want %s: %v", report.Worst(), test.class, report.Changes)
			}
			if test.says != "" && !slices.Contains(texts(report.Changes), test.says) {
				t.Errorf("%q is not among %q", test.says, texts(report.Changes))
			}
			var want []string
			if test.harm != "" {
				want = []string{"team-a/chat: " + test.harm}
			}
			if diff := cmp.Diff(want, harmTexts(report)); diff != "" {
				t.Error(diff)
			}
			if report.Harmful() != (test.harm != "") {
				t.Errorf("harmful is %v", report.Harmful())
			}
		})
	}
}

const (
	v1    = "{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}}"
	v2    = "{name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {b: {type: string}}}}}}}"
	v1old = "{name: v1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}}"
	v2new = "{name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {b: {type: string}}}}}}}"
	hook  = "conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {service: {namespace: hooks, name: s}}}}"
)

func TestVersionsAndStorage(t *testing.T) {
	hidden := strings.Replace(v2, "served: true", "served: false", 1)
	for _, test := range []struct {
		name                    string
		old, oldMore            string
		wanted, wantedMore      string
		stored                  []string
		class                   Class
		says, harm              string
		impossible, harmfulToIt bool
	}{
		{name: "version added", old: v1, wanted: v1 + "," + v2, class: Safe, says: "version v2 is new"},
		{name: "version removed", old: v1 + "," + v2, wanted: v1, stored: []string{"v1"}, class: Breaking, says: "version v2 is removed: programs and files that use it fail", harmfulToIt: true},
		{name: "unserved version removed", old: v1 + "," + hidden, wanted: v1, stored: []string{"v1"}, class: Safe, says: "version v2, which was not served, is removed"},
		{name: "version no longer served", old: v1 + "," + v2, wanted: v1 + "," + hidden, class: Breaking, says: "version v2 is no longer served: programs and files that use it fail", harmfulToIt: true},
		{
			name: "stored version removed", old: v1 + "," + v2, wanted: v1, stored: []string{"v1", "v2"}, class: Forbidden, harmfulToIt: true, impossible: true,
			says: "version v2 is removed, but objects may still be stored in it (status.storedVersions); rewrite all objects in a version that stays and take v2 out of status.storedVersions first",
		},
		{
			name: "storage moves without conversion", old: v1 + "," + v2, wanted: v1old + "," + v2new, class: Narrowing, harmfulToIt: true,
			says: "v1 to v2 spec.a: the field is removed: values are dropped", harm: "team-a/chat: spec.a would be dropped",
		},
		{
			name: "storage moves with conversion", old: v1 + "," + v2, wanted: v1old + "," + v2new, oldMore: hook, wantedMore: hook, class: Notable,
			says: "objects are stored in version v2 instead of v1; definitions without v2 cannot be returned to from then on",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, wanted := parse(t, "["+test.old+"]", test.oldMore), parse(t, "["+test.wanted+"]", test.wantedMore)
			old.Status.StoredVersions = test.stored
			report := review(t, old, wanted, object1(t, "team-a", "a: x"))
			if report.Worst() != test.class || !slices.Contains(texts(report.Changes), test.says) {
				t.Errorf("%s: %q", report.Worst(), texts(report.Changes))
			}
			if got := strings.Join(harmTexts(report), "\n"); got != test.harm {
				t.Errorf("harm: %q, want %q", got, test.harm)
			}
			if report.Harmful() != test.harmfulToIt || report.Impossible() != test.impossible {
				t.Errorf("harmful %v, impossible %v", report.Harmful(), report.Impossible())
			}
			// Without objects nothing is hurt, but what is impossible stays so.
			empty := review(t, old, wanted)
			if empty.Harmful() || empty.Impossible() != test.impossible {
				t.Errorf("without objects: harmful %v, impossible %v", empty.Harmful(), empty.Impossible())
			}
		})
	}
}

func TestScopeAndKindNeverChange(t *testing.T) {
	old, wanted := parse(t, "["+v1+"]", ""), parse(t, "["+v1+"]", "")
	wanted.Spec.Scope, wanted.Spec.Names.Kind = "Cluster", "Talk"
	report := review(t, old, wanted)
	if !report.Impossible() || len(report.Changes) != 2 || !strings.HasPrefix(report.Changes[0].Says, "the scope is Namespaced and cannot become Cluster") {
		t.Errorf("%v", report.Changes)
	}
}

func TestDeletionPutsAllObjectsAtStake(t *testing.T) {
	old := parse(t, "["+v1+"]", "")
	report := review(t, old, nil, object1(t, "a", "{}"), object1(t, "b", "{}"))
	if !report.Deleted || report.Objects != 2 || !report.Harmful() {
		t.Errorf("%+v", report)
	}
	if empty := review(t, old, nil); empty.Harmful() {
		t.Errorf("nothing is lost, but %+v", empty)
	}
}

// An unchanged definition must cost no listing at all.
func TestObjectsAreOnlyListedWhenNeeded(t *testing.T) {
	listed := 0
	objects := func(context.Context, string, func([]map[string]any) error) error { listed++; return nil }
	old := parse(t, "["+v1+"]", "")
	for _, wanted := range []*Definition{old, parse(t, "["+v1+","+v2+"]", "")} {
		if _, err := Review(context.Background(), old, wanted, objects); err != nil {
			t.Fatal(err)
		}
	}
	if listed != 0 {
		t.Errorf("objects were listed %d times", listed)
	}
}

// Many objects are judged page by page and reported in order.
func TestManyObjects(t *testing.T) {
	old, wanted := definition(t, "{type: object, properties: {a: {type: integer}}}"), definition(t, "{type: object, properties: {a: {type: integer, maximum: 10}}}")
	var all []map[string]any
	for i := range 500 {
		object := object1(t, fmt.Sprintf("team-%03d", i), fmt.Sprintf("a: %d", i%20))
		all = append(all, object)
	}
	report := review(t, old, wanted, all...)
	if report.Objects != 500 || len(report.Harms) != 225 {
		t.Errorf("%d objects, %d harms", report.Objects, len(report.Harms))
	}
	if !slices.IsSortedFunc(report.Harms, func(a, b Harm) int { return strings.Compare(a.Namespace, b.Namespace) }) {
		t.Error("harms are not in order")
	}
}

// Secrets may stand in a spec, so that messages never repeat values.
func TestMessagesHoldNoValues(t *testing.T) {
	for _, limits := range []string{"pattern: '^x$'", "maxLength: 1", "enum: [x]", "format: date"} {
		report := review(t, definition(t, "{type: object, properties: {a: {type: string}}}"), definition(t, "{type: object, properties: {a: {type: string, "+limits+"}}}"), object1(t, "n", "a: hunter2"))
		if text := strings.Join(harmTexts(report), "\n"); text == "" || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %q", limits, text)
		}
	}
}

func TestParseRefusesWhatIsNoCRD(t *testing.T) {
	for _, content := range []string{"{apiVersion: v1, kind: ConfigMap}", "{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition}", "{"} {
		if _, err := Parse(content); err == nil {
			t.Errorf("%s is accepted", content)
		}
	}
}

// review runs Review on objects in memory, seven to a page.
func review(t *testing.T, old, wanted *Definition, objects ...map[string]any) *Report {
	t.Helper()
	list := func(_ context.Context, version string, page func([]map[string]any) error) error {
		for chunk := range slices.Chunk(objects, 7) {
			for _, object := range chunk {
				object["apiVersion"] = "example.com/" + version
			}
			if err := page(chunk); err != nil {
				return err
			}
		}
		return nil
	}
	report, err := Review(context.Background(), old, wanted, list)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func object1(t *testing.T, namespace, spec string) map[string]any {
	t.Helper()
	var content any
	if err := yaml.Unmarshal([]byte(spec), &content); err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"apiVersion": "example.com/v1", "kind": "Chat",
		"metadata": map[string]any{"name": "chat", "namespace": namespace, "uid": "1"},
		"spec":     whole(content),
	}
}

// whole reads numbers as the API server does.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		return int64(v)
	}
	return v
}

func texts(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}

func harmTexts(r *Report) []string {
	var out []string
	for _, h := range r.Harms {
		out = append(out, h.String())
	}
	return out
}

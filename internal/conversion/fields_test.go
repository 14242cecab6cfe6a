package conversion

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

var update = flag.Bool("update", false, "write testdata/fields.txt")

// TestEveryFieldIsDecided sets each field of each kind alone, and writes down whether the other version
// says it or an annotation keeps it. One that is lost fails; a new one shows up in the list, which
// is read before it is updated.
func TestEveryFieldIsDecided(t *testing.T) {
	var lines []string
	lines = append(lines, decisions(t, GraphToBeta, GraphToAlpha)...)
	lines = append(lines, decisions(t, GraphToAlpha, GraphToBeta)...)
	lines = append(lines, decisions(t, ComponentToBeta, ComponentToAlpha)...)
	lines = append(lines, decisions(t, ComponentToAlpha, ComponentToBeta)...)
	lines = append(lines, decisions(t, AdapterToBeta, AdapterToAlpha)...)
	lines = append(lines, decisions(t, AdapterToAlpha, AdapterToBeta)...)
	lines = append(lines, decisions(t, RequestToBeta, RequestToAlpha)...)
	lines = append(lines, decisions(t, RequestToAlpha, RequestToBeta)...)
	got := strings.Join(lines, "\n") + "\n"
	const file = "testdata/fields.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("fields were added, or are converted otherwise; is that right? then run the test with -update (-want +got):\n%s", diff)
	}
}

func decisions[From, To any](t *testing.T, there func(*From) *To, back func(*To) *From) []string {
	t.Helper()
	kind := reflect.TypeFor[From]()
	_, version, _ := strings.Cut(kind.PkgPath(), "/api/")
	var lines []string
	for _, path := range fieldsOf(kind, nil) {
		if path[0] != "Spec" && path[0] != "Status" {
			continue
		}
		from := new(From)
		fillAt(reflect.ValueOf(from).Elem(), path)
		from = throughJSON(t, from)
		converted := throughJSON(t, there(from))
		want, decision := asJSON(t, from), ""
		bare := *converted
		reflect.ValueOf(&bare).Elem().FieldByName("ObjectMeta").FieldByName("Annotations").SetZero()
		switch want {
		case asJSON(t, withAnnotationsOf(back(&bare), from)):
			decision = "said"
		case asJSON(t, withAnnotationsOf(back(converted), from)):
			decision = "kept"
		default:
			t.Errorf("%s of %s %s is lost", strings.Join(path, "."), version, kind.Name())
		}
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", version, kind.Name(), strings.Join(path, "."), decision))
	}
	return lines
}

// fieldsOf are the paths of the leaves: fields that are no structs of ours.
func fieldsOf(of reflect.Type, path []string) [][]string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !isOurs(of) || of.NumField() == 0 {
		return [][]string{path}
	}
	var paths [][]string
	for field := range of.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == "-" {
			return [][]string{path}
		}
		paths = append(paths, fieldsOf(field.Type, append(slices.Clone(path), field.Name))...)
	}
	return paths
}

func isOurs(of reflect.Type) bool {
	return of.PkgPath() == reflect.TypeFor[v1alpha1.PVC]().PkgPath() || of.PkgPath() == reflect.TypeFor[v1beta1.PodTemplate]().PkgPath()
}

func fillAt(value reflect.Value, path []string) {
	switch {
	case len(path) == 0:
		leaf := reflect.New(value.Type())
		filler(1).NilChance(0).Fill(leaf.Interface())
		value.Set(leaf.Elem())
	case value.Kind() == reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fillAt(value.Elem(), path)
	case value.Kind() == reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fillAt(value.Index(0), path)
	case value.Kind() == reflect.Map:
		item := reflect.New(value.Type().Elem()).Elem()
		fillAt(item, path)
		value.Set(reflect.MakeMap(value.Type()))
		value.SetMapIndex(reflect.ValueOf("a"), item)
	default:
		fillAt(value.FieldByName(path[0]), path[1:])
	}
}

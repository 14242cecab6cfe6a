package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// place is where a text stands in an object. field and parent are the names of
// its field and of the one around that, as in YAML; both are empty for what a
// user names himself, such as a label.
type place struct {
	path          *field.Path
	field, parent string
}

// eachText visits all texts of an object, keys of maps included.
func eachText(path *field.Path, object any, visit func(at place, text string)) {
	walk(place{path: path}, reflect.ValueOf(object), visit)
}

func walk(at place, value reflect.Value, visit func(place, string)) {
	switch value.Kind() {
	case reflect.String:
		visit(at, value.String())
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			walk(at, value.Elem(), visit)
		}
	case reflect.Slice:
		for i := range value.Len() {
			item := at
			item.path = at.path.Index(i)
			walk(item, value.Index(i), visit)
		}
	case reflect.Map:
		keys := value.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			entry := place{path: at.path.Key(key.String())}
			visit(entry, key.String())
			walk(entry, value.MapIndex(key), visit)
		}
	case reflect.Struct:
		walkFields(at, value, visit)
	}
}

// walkFields: a field without a name of its own in YAML stands where its struct does.
func walkFields(at place, object reflect.Value, visit func(place, string)) {
	for i := range object.NumField() {
		described := object.Type().Field(i)
		name, _, _ := strings.Cut(described.Tag.Get("json"), ",")
		switch {
		case !described.IsExported() || name == "-":
		case name == "":
			walk(at, object.Field(i), visit)
		default:
			walk(place{path: at.path.Child(name), field: name, parent: at.field}, object.Field(i), visit)
		}
	}
}

// zeroBytes finds texts that no program can be given.
func zeroBytes(path *field.Path, object any) field.ErrorList {
	var errs field.ErrorList
	eachText(path, object, func(at place, text string) {
		if strings.ContainsRune(text, 0) {
			errs = append(errs, field.Invalid(at.path, text, `contains the byte \x00, at which every program takes it to end`))
		}
	})
	return errs
}

// otherNamespaces warns of variables that move only the process.
func otherNamespaces(path *field.Path, object any) []string {
	var warnings []string
	eachText(path, object, func(at place, text string) {
		if text == "DYN_NAMESPACE" && at.field == "name" && (at.parent == "env" || at.parent == "envs") {
			warnings = append(warnings, fmt.Sprintf("%s: DYN_NAMESPACE moves the process alone into another logical namespace; labels, planner and metrics go on saying the graph's own", at.path))
		}
	})
	return warnings
}

const (
	longestValue   = 100
	longestPath    = 1000
	longestMessage = 2000
	mostMistakes   = 50
)

// Printable cleans what is said about a user's texts of what is in them: it
// goes to terminals, events and conditions. Of many mistakes it names the first.
func Printable(errs field.ErrorList, warnings []string) (field.ErrorList, []string) {
	if more := len(errs) - mostMistakes; more > 0 {
		errs = append(errs[:mostMistakes:mostMistakes], field.Forbidden(specPath, fmt.Sprintf("and %d more mistakes", more)))
	}
	for _, err := range errs {
		err.Field, err.Detail = plain.Text(err.Field, longestPath), plain.Text(err.Detail, longestMessage)
		// As a plain string, which messages quote, whatever type it had.
		if value := reflect.ValueOf(err.BadValue); value.Kind() == reflect.String {
			err.BadValue = plain.Cut(value.String(), longestValue)
		}
	}
	for i, warning := range warnings {
		warnings[i] = plain.Text(warning, longestMessage)
	}
	return errs, warnings
}

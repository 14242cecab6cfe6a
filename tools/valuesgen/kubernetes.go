package main

import (
	"errors"
	"fmt"
	gotypes "go/types"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// kubernetesPackages are the packages whose types values may have, by the
// short name under which annotations refer to them: core.Toleration.
var kubernetesPackages = map[string]string{
	"core": "k8s.io/api/core/v1",
	"apps": "k8s.io/api/apps/v1",
	"meta": "k8s.io/apimachinery/pkg/apis/meta/v1",
}

// wellKnown are types whose JSON form is not that of their fields.
var wellKnown = map[string]object{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":   {"$ref": "quantity"},
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString": {"type": []any{"integer", "string"}},
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":       {"type": "string"},
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":  {"type": "string"},
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":   {"$ref": "duration"},
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":   {"type": "object"},
	"k8s.io/apimachinery/pkg/runtime.RawExtension":    {"type": "object"},
}

// kubernetes derives schemas from the Go types of the Kubernetes API, of the
// version that the repository's main module is built with.
type kubernetes struct{ packages map[string]*gotypes.Package }

func loadKubernetes(root string) (*kubernetes, error) {
	k := &kubernetes{packages: map[string]*gotypes.Package{}}
	paths := make([]string, 0, len(kubernetesPackages))
	for _, path := range kubernetesPackages {
		paths = append(paths, path)
	}
	loaded, err := packages.Load(&packages.Config{Dir: root, Mode: packages.NeedName | packages.NeedImports | packages.NeedTypes | packages.NeedExportFile}, paths...)
	if err != nil {
		return nil, fmt.Errorf("load the Kubernetes types: %w", err)
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			err = errors.Join(err, e)
		}
		k.packages[p.PkgPath] = p.Types
	}
	return k, err
}

// find returns the schema of a type such as core.Toleration; ok is false if
// the name is not of that form.
func (k *kubernetes) find(name string) (schema object, ok bool, err error) {
	short, typeName, dotted := strings.Cut(name, ".")
	path, known := kubernetesPackages[short]
	if !dotted || !known {
		return nil, false, nil
	}
	found := k.packages[path].Scope().Lookup(typeName)
	if found == nil {
		return nil, true, fmt.Errorf("%s has no type %s", path, typeName)
	}
	schema, err = k.schema(found.Type().Underlying())
	return schema, true, err
}

// reference returns a $ref to a named struct, or the schema of anything else.
func (k *kubernetes) reference(t gotypes.Type) (object, error) {
	if pointer, ok := t.(*gotypes.Pointer); ok {
		return k.reference(pointer.Elem())
	}
	named, ok := gotypes.Unalias(t).(*gotypes.Named)
	if !ok {
		return k.schema(t)
	}
	pkg := named.Obj().Pkg()
	if schema, ok := wellKnown[pkg.Path()+"."+named.Obj().Name()]; ok {
		return clone(schema).(object), nil
	}
	if values := constants(named); len(values) > 0 {
		return object{"enum": values}, nil
	}
	if _, ok := named.Underlying().(*gotypes.Struct); !ok {
		return k.schema(named.Underlying())
	}
	for short, path := range kubernetesPackages {
		if path == pkg.Path() {
			return object{"$ref": short + "." + named.Obj().Name()}, nil
		}
	}
	return nil, fmt.Errorf("type %s is in a package that valuesgen does not know", named)
}

// constants lists the values of a type that is an enumeration.
func constants(named *gotypes.Named) []any {
	basic, ok := named.Underlying().(*gotypes.Basic)
	if !ok || basic.Kind() != gotypes.String {
		return nil
	}
	var out []any
	scope := named.Obj().Pkg().Scope()
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*gotypes.Const); ok && gotypes.Identical(c.Type(), named) {
			out = append(out, strings.Trim(c.Val().ExactString(), `"`))
		}
	}
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return slices.Compact(out)
}

func (k *kubernetes) schema(t gotypes.Type) (object, error) {
	switch t := t.(type) {
	case *gotypes.Basic:
		return basicSchema(t)
	case *gotypes.Slice:
		if element, ok := t.Elem().(*gotypes.Basic); ok && element.Kind() == gotypes.Byte {
			return object{"type": "string"}, nil
		}
		items, err := k.reference(t.Elem())
		return object{"type": "array", "items": items}, err
	case *gotypes.Map:
		values, err := k.reference(t.Elem())
		if values["$ref"] == "quantity" {
			return object{"$ref": "quantities"}, err
		}
		return object{"type": "object", "additionalProperties": values}, err
	case *gotypes.Struct:
		out := object{"type": "object", "additionalProperties": false, "properties": object{}}
		return out, k.addFields(out, t)
	}
	return nil, fmt.Errorf("type %s has no schema", t)
}

func basicSchema(t *gotypes.Basic) (object, error) {
	switch {
	case t.Info()&gotypes.IsString != 0:
		return object{"type": "string"}, nil
	case t.Info()&gotypes.IsBoolean != 0:
		return object{"type": "boolean"}, nil
	case t.Info()&gotypes.IsInteger != 0:
		return object{"type": "integer"}, nil
	}
	return nil, fmt.Errorf("type %s has no schema", t)
}

// addFields adds the fields of a struct, and those of structs that it embeds.
func (k *kubernetes) addFields(to object, t *gotypes.Struct) error {
	for i := range t.NumFields() {
		field := t.Field(i)
		name, options, _ := strings.Cut(reflect.StructTag(t.Tag(i)).Get("json"), ",")
		if embedded, ok := field.Type().Underlying().(*gotypes.Struct); ok && name == "" {
			if err := k.addFields(to, embedded); err != nil {
				return err
			}
			continue
		}
		schema, err := k.reference(field.Type())
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		_, pointer := field.Type().(*gotypes.Pointer)
		optional := pointer || strings.Contains(options, "omitempty")
		if values, ok := schema["enum"].([]any); ok && optional && !slices.Contains(values, any("")) {
			// An empty text is as good as none.
			schema = object{"enum": append([]any{""}, values...)}
		}
		to["properties"].(object)[name] = schema
		if !optional {
			required, _ := to["required"].([]any)
			to["required"] = append(required, name)
		}
	}
	return nil
}

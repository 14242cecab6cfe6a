package crdsafety

import (
	"context"
	"regexp"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// judge treats an object as the API server would under one schema. It may be
// used concurrently.
type judge struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

func newJudge(v *apiextensionsv1.CustomResourceDefinitionVersion) (*judge, error) {
	internal, err := internalSchema(v)
	if err != nil {
		return nil, err
	}
	tree, err := structural(v)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, err
	}
	return &judge{structural: tree, validator: validator, rules: cel.NewValidator(tree, true, celconfig.PerCallLimit)}, nil
}

// fault is what a schema has against one field of an object.
type fault struct {
	field   string
	dropped bool
	says    string
	// detail is what the validator says, for who writes the object.
	detail string
}

// sameField reports whether both faults are about values of one field.
func (f fault) sameField(other fault) bool {
	return f.field == other.field && f.field != wholeObject && !f.dropped && !other.dropped
}

// wholeObject is the field of a fault that is not about one field.
const wholeObject = "the object"

// faults lists what the schema would drop from an object and what it would not
// accept. The object is not changed.
func (j *judge) faults(ctx context.Context, object map[string]any) []fault {
	object = runtime.DeepCopyJSON(object)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, j.structural)
	defaulting.Default(object, j.structural)
	var out []fault
	for _, path := range pruning.PruneWithOptions(object, j.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		out = append(out, fault{field: path, dropped: true, says: "would be dropped"})
	}
	for _, err := range j.validate(ctx, object) {
		out = append(out, fault{field: fieldOf(err), says: "would be invalid: " + reason(err), detail: refusal(err)})
	}
	return out
}

// kept is what the API server makes of an object that it reads under the schema.
func (j *judge) kept(object map[string]any) map[string]any {
	object = runtime.DeepCopyJSON(object)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, j.structural)
	pruning.Prune(object, j.structural, true)
	defaulting.Default(object, j.structural)
	return object
}

func (j *judge) validate(ctx context.Context, object map[string]any) field.ErrorList {
	errs := validation.ValidateCustomResource(nil, object, j.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, j.structural, object)...)
	// Rules only run on what has the right shape, as in the API server.
	if j.rules == nil || len(errs) > 0 {
		return errs
	}
	found, _ := j.rules.Validate(ctx, nil, j.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, found...)
}

// refusal is what to say to who writes the object: with the value, and what to
// do about a number that must be text.
func refusal(err *field.Error) string {
	detail := quoted.ReplaceAllString(inBody.ReplaceAllString(err.Detail, ""), "must ")
	if err.Type != field.ErrorTypeTypeInvalid {
		return (&field.Error{Type: err.Type, BadValue: err.BadValue, Detail: detail}).ErrorBody()
	}
	detail, _, _ = strings.Cut(detail, ": ")
	if detail == "must be of type string" {
		return "must be text: put it into quotes"
	}
	return detail
}

// inBody and quoted are how the validator repeats the path that a message is
// about.
var (
	inBody = regexp.MustCompile(`^\S* in body `)
	quoted = regexp.MustCompile(`^"(\S*)" must `)
)

func fieldOf(err *field.Error) string {
	if m := quoted.FindStringSubmatch(err.Detail); m != nil && m[1] != "" {
		return m[1]
	}
	if err.Field == "" || err.Field == "<nil>" {
		return wholeObject
	}
	return err.Field
}

// reason is a message without the path, which stands beside it, and without
// the value, which may be confidential.
func reason(err *field.Error) string {
	detail := quoted.ReplaceAllString(inBody.ReplaceAllString(err.Detail, ""), "must ")
	switch err.Type {
	case field.ErrorTypeRequired:
		return "it is required"
	case field.ErrorTypeTypeInvalid:
		detail, _, _ = strings.Cut(detail, ": ")
	case field.ErrorTypeDuplicate:
		detail = "it is there twice"
	}
	if detail == "" {
		return strings.ToLower(err.Type.String())
	}
	return detail
}

// Package readiness is what charts may say about when an object is ready, beside
// what its kind means by it.
package readiness

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

// Annotations on objects of a chart.
const (
	// OptionalAnnotation, "true", says that nothing waits for the object; what it
	// is not ready for is reported.
	OptionalAnnotation = "wheelhouse.dev/optional"
	// WhenAnnotation is an expression (CEL) over the live object, self, that is
	// true when it is ready. It replaces what the kind means by ready, and gives a
	// meaning to kinds that have none.
	WhenAnnotation = "wheelhouse.dev/ready-when"
)

// costLimit bounds an evaluation; a comparison of fields costs a few.
const costLimit = 100_000

// Rule is a compiled expression. It is safe for concurrent use.
type Rule struct {
	text    string
	program cel.Program
}

// Optional tells whether an object's annotations say that nothing waits for it.
func Optional(annotations map[string]string) bool { return annotations[OptionalAnnotation] == "true" }

// Of compiles the rule in an object's annotations; nil if there is none.
func Of(annotations map[string]string) (*Rule, error) {
	text := strings.TrimSpace(annotations[WhenAnnotation])
	if text == "" {
		return nil, nil
	}
	env, err := cel.NewEnv(cel.Variable("self", cel.DynType))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", WhenAnnotation, err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%s %q: %s", WhenAnnotation, text, oneLine(issues.Err()))
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("%s %q: it is of type %s, not bool", WhenAnnotation, text, kind)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", WhenAnnotation, text, err)
	}
	return &Rule{text: text, program: program}, nil
}

// Ready evaluates the rule on a live object. The message says why it is not
// ready; a field that is not there yet is a reason, not an error.
func (r *Rule) Ready(object map[string]any) (ready bool, message string) {
	out, _, err := r.program.Eval(map[string]any{"self": object})
	if err != nil {
		return false, fmt.Sprintf("%s %q: %s", WhenAnnotation, r.text, oneLine(err))
	}
	if yes, ok := out.Value().(bool); ok && yes {
		return true, ""
	}
	return false, fmt.Sprintf("%s %q is %v%s", WhenAnnotation, r.text, out.Value(), phase(object))
}

// phase adds what many kinds say of themselves, so that progress is seen.
func phase(object map[string]any) string {
	status, _ := object["status"].(map[string]any)
	for _, field := range []string{"phase", "state"} {
		if text, ok := status[field].(string); ok && text != "" {
			return fmt.Sprintf(" (%s: %s)", field, text)
		}
	}
	return ""
}

// oneLine keeps the first line of a message, which says what and where.
func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(text, "ERROR: ")
}

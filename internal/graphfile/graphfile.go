// Package graphfile judges files with graphs, and with other objects of the
// platform, without a cluster: what the API server would refuse by their
// definitions, and what the operator would by its rules.
package graphfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/crdsafety"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// Verdict is what there is to say of a file.
type Verdict struct {
	// Objects counts those of the platform's kinds; Others are not judged.
	Objects, Others int
	// Problems are refused, Warnings are not.
	Problems, Warnings fleet.Problems
}

// Check judges every document of a file. Definitions are the CRDs to judge by.
func Check(ctx context.Context, file string, data []byte, definitions []*crdsafety.Definition) (*Verdict, error) {
	verdict := &Verdict{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return verdict, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		d := &document{file: file, root: &node}
		if err := d.judge(ctx, definitions, verdict); err != nil {
			return nil, err
		}
	}
}

// document is one object of a file.
type document struct {
	file string
	root *yaml.Node
}

func (d *document) judge(ctx context.Context, definitions []*crdsafety.Definition, verdict *Verdict) error {
	text, err := yaml.Marshal(d.root)
	if err != nil {
		return fmt.Errorf("read %s: %w", d.at(""), err)
	}
	var object map[string]any
	converted, err := sigsyaml.YAMLToJSON(text)
	if err == nil {
		// Whole numbers stay whole, as rules of definitions want them.
		err = utiljson.Unmarshal(converted, &object)
	}
	if err != nil {
		verdict.Problems = append(verdict.Problems, d.problem("", err.Error(), ""))
		return nil
	}
	if len(object) == 0 {
		return nil
	}
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if group, _, _ := strings.Cut(apiVersion, "/"); group != v1alpha1.GroupName {
		verdict.Others++
		return nil
	}
	verdict.Objects++
	at := slices.IndexFunc(definitions, func(crd *crdsafety.Definition) bool { return crd.Spec.Names.Kind == kind })
	if at < 0 {
		verdict.Problems = append(verdict.Problems, d.problem("kind", fmt.Sprintf("there is no kind %q in %s", kind, v1alpha1.GroupName), suggestKind(kind, definitions)))
		return nil
	}
	faults, err := crdsafety.Faults(ctx, definitions[at], object)
	if err != nil {
		verdict.Problems = append(verdict.Problems, d.problem("apiVersion", err.Error(), ""))
		return nil
	}
	for _, f := range faults {
		verdict.Problems = append(verdict.Problems, d.problem(f.Field, strings.TrimSpace(f.Field+" "+f.Says), d.suggestField(f, definitions[at])))
	}
	// What has the wrong shape cannot be read as what it should be.
	if len(faults) > 0 {
		return nil
	}
	if metadata, ok := object["metadata"].(map[string]any); ok && metadata["namespace"] == nil {
		metadata["namespace"] = "default" // as kubectl would, unless told otherwise
	}
	errs, warnings, err := rules(kind, object)
	if err != nil {
		return fmt.Errorf("read %s: %w", d.at(""), err)
	}
	for _, e := range errs {
		verdict.Problems = append(verdict.Problems, d.problem(e.Field, e.Error(), ""))
	}
	for _, w := range warnings {
		path, _, _ := strings.Cut(w, " ")
		verdict.Warnings = append(verdict.Warnings, d.problem(strings.TrimSuffix(path, ":"), w, ""))
	}
	return nil
}

// rules are the operator's. Kinds that it has no rules for have none.
func rules(kind string, object map[string]any) (errs field.ErrorList, warnings []string, err error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, nil, err
	}
	inBeta := object["apiVersion"] == v1beta1.GroupVersion.String()
	if inBeta {
		if data, err = conversion.Object(data, v1alpha1.GroupVersion.String()); err != nil {
			return nil, nil, err
		}
	}
	var typed any
	switch kind {
	case v1alpha1.KindGraphDeployment:
		graph := &v1alpha1.DynamoGraphDeployment{}
		if err = json.Unmarshal(data, graph); err == nil {
			errs, warnings = validate.Graph(graph, config.Unknown())
		}
		typed = graph
	case v1alpha1.KindComponentDeployment:
		component := &v1alpha1.DynamoComponentDeployment{}
		if err = json.Unmarshal(data, component); err == nil {
			errs, warnings = validate.Component(component, config.Unknown())
		}
		typed = component
	case v1alpha1.KindModel:
		model := &v1alpha1.DynamoModel{}
		if err = json.Unmarshal(data, model); err == nil {
			errs = validate.Model(model)
		}
	case v1alpha1.KindGraphDeploymentRequest:
		request := &v1alpha1.DynamoGraphDeploymentRequest{}
		if err = json.Unmarshal(data, request); err == nil {
			errs, warnings = validate.Request(request, config.Unknown())
		}
		typed = request
	}
	if inBeta {
		errs, warnings = validate.InBeta(errs, warnings, typed)
	}
	return errs, warnings, err
}

func suggestKind(kind string, definitions []*crdsafety.Definition) string {
	var known []string
	for _, crd := range definitions {
		known = append(known, crd.Spec.Names.Kind)
	}
	if meant := spelling.Closest(kind, known); meant != "" {
		return fmt.Sprintf("did you mean %s?", meant)
	}
	return "there are " + strings.Join(known, ", ")
}

// suggestField looks for the field that a misspelt one was meant to be.
func (d *document) suggestField(f crdsafety.Fault, crd *crdsafety.Definition) string {
	if !f.Unknown {
		return ""
	}
	parent, name := split(f.Field)
	if meant := spelling.Closest(name, crdsafety.Fields(crd, d.version(), parent)); meant != "" {
		return fmt.Sprintf("did you mean %s?", meant)
	}
	return ""
}

func (d *document) problem(path, message, fix string) fleet.Problem {
	return fleet.Problem{Origin: d.at(path), Message: message, Fix: fix}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-tools/pkg/crd"
	crdmarkers "sigs.k8s.io/controller-tools/pkg/crd/markers"
	"sigs.k8s.io/controller-tools/pkg/genall"
	"sigs.k8s.io/controller-tools/pkg/loader"
	"sigs.k8s.io/controller-tools/pkg/markers"
	"sigs.k8s.io/yaml"
)

// keepAnnotation makes Helm leave an object in place on uninstall.
const keepAnnotation = "helm.sh/resource-policy"

// crdGenerator writes one CustomResourceDefinition per kind. It differs from controller-gen's own
// generator in that it keeps the descriptions of our fields and drops those of Kubernetes' fields:
// with these, the chart's release record comes close to the 1 MiB that a Secret may hold.
type crdGenerator struct{}

// RegisterMarkers registers the markers that the types may carry.
func (crdGenerator) RegisterMarkers(into *markers.Registry) error {
	return crdmarkers.Register(into)
}

// CheckFilter leaves the choice of nodes to type-check to controller-gen's generator.
func (crdGenerator) CheckFilter() loader.NodeFilter {
	return crd.Generator{}.CheckFilter()
}

// Generate writes the CustomResourceDefinitions of all kinds in the loaded packages.
func (crdGenerator) Generate(ctx *genall.GenerationContext) error {
	parser := &crd.Parser{
		Collector: ctx.Collector,
		Checker:   ctx.Checker,
		// Without it, labels and annotations of an embedded pod template are pruned.
		GenerateEmbeddedObjectMeta: true,
		// Numbers of requests and shares have been fractions in v1beta1 from its start.
		AllowDangerousTypes: true,
	}
	crd.AddKnownTypes(parser)
	for _, root := range ctx.Roots {
		parser.NeedPackage(root)
	}
	// Now, because the next step makes the parser know Kubernetes' own kinds too.
	kinds := crd.FindKubeKinds(parser, crd.FindMetav1(ctx.Roots))
	for ident := range maps.Clone(parser.Types) {
		parser.NeedSchemaFor(ident)
	}
	editDescriptions(parser, ctx.Roots)

	for _, kind := range kinds {
		parser.NeedCRDFor(kind, nil)
		definition := parser.CustomResourceDefinitions[kind]
		// The parser's order of versions is by their maturity.
		slices.SortFunc(definition.Spec.Versions, func(a, b apiextensionsv1.CustomResourceDefinitionVersion) int {
			return strings.Compare(a.Name, b.Name)
		})
		if err := finish(&definition); err != nil {
			return fmt.Errorf("%s: %w", kind.Kind, err)
		}
		if err := write(ctx, &definition); err != nil {
			return fmt.Errorf("%s: %w", kind.Kind, err)
		}
	}
	return nil
}

// editDescriptions empties the descriptions in the schemas of types outside the roots, and joins the
// lines of those inside. It must run before schemas are flattened: afterwards nobody can tell whose
// field is whose.
func editDescriptions(parser *crd.Parser, roots []*loader.Package) {
	for ident, schema := range parser.Schemata {
		edit := descriptionEditor(func(string) string { return "" })
		if slices.Contains(roots, ident.Package) {
			edit = joinLines
		}
		crd.EditSchema(&schema, edit)
		parser.Schemata[ident] = schema
	}
}

// descriptionEditor edits the description of every node of a schema.
type descriptionEditor func(string) string

// Visit edits one node.
func (edit descriptionEditor) Visit(schema *apiextensionsv1.JSONSchemaProps) crd.SchemaVisitor {
	if schema != nil {
		schema.Description = edit(schema.Description)
	}
	return edit
}

// joinLines undoes the line breaks inside paragraphs, which `kubectl explain` would keep.
func joinLines(description string) string {
	paragraphs := strings.Split(description, "\n\n")
	for i, paragraph := range paragraphs {
		paragraphs[i] = strings.ReplaceAll(paragraph, "\n", " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

// write writes the definition with its stored version as <plural>.yaml, and each further version, which
// is served only where something converts, as a list of versions for the definition.
func write(ctx *genall.GenerationContext, definition *apiextensionsv1.CustomResourceDefinition) error {
	first := *definition
	first.Spec.Versions = first.Spec.Versions[:1]
	content, err := encode(withoutStatus(&first))
	if err != nil {
		return err
	}
	if err := writeFile(ctx, definitionsDir+"/"+definition.Spec.Names.Plural+".yaml", content); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions[1:] {
		content, err := encode([]apiextensionsv1.CustomResourceDefinitionVersion{version})
		if err != nil {
			return err
		}
		if err := writeFile(ctx, versionsDir+"/"+definition.Spec.Names.Plural+"."+version.Name+".yaml", content); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(ctx *genall.GenerationContext, name string, content []byte) error {
	file, err := ctx.Open(nil, name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	if _, err := io.Copy(file, bytes.NewReader(content)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return file.Close()
}

// encode returns a definition, or a part of one, as YAML that Helm's template engine leaves as it is.
func encode(value any) ([]byte, error) {
	content, err := yaml.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if line := lineWith(content, "{{"); line != "" {
		return nil, fmt.Errorf("helm would take %q for a template: reword the comment in api", line)
	}
	return append([]byte("# Generated by `make generate` from api. Do not edit.\n"), content...), nil
}

// withoutStatus returns the definition without the status that the API server fills in.
func withoutStatus(definition *apiextensionsv1.CustomResourceDefinition) any {
	return struct {
		APIVersion string                                       `json:"apiVersion"`
		Kind       string                                       `json:"kind"`
		Metadata   map[string]any                               `json:"metadata"`
		Spec       apiextensionsv1.CustomResourceDefinitionSpec `json:"spec"`
	}{
		APIVersion: apiextensionsv1.SchemeGroupVersion.String(),
		Kind:       "CustomResourceDefinition",
		Metadata: map[string]any{
			"name":        definition.Name,
			"annotations": map[string]string{keepAnnotation: "keep"},
		},
		Spec: definition.Spec,
	}
}

func lineWith(content []byte, text string) string {
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

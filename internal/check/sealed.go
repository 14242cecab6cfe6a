package check

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const keepItClosed = "name a Secret to the chart instead; a value that is no secret belongs into a file, or under a key, that is not encrypted"

var sealedEndsInSecrets = Rule{
	ID:       "W-23",
	Severity: Error,
	Says:     "What is encrypted in a values file ends in the content of Secrets and nowhere else.",
	Why: "Whoever may read a ConfigMap or a Deployment reads what a chart writes into it, and such objects are read by many. Of the values that SOPS " +
		"decrypted only the Secrets that the chart makes, and the release's record, which is a Secret too, may have any. Texts and numbers are followed " +
		"through the templates by rendering with others in their place; truth values are not, since they have only two contents.",
	Fix:  "name a Secret to the chart instead; a value that is no secret belongs into a file, or under a key, that is not encrypted",
	When: func(rel fleet.Release) bool { return len(rel.Overrides.SealedLeaves()) > 0 },
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			leaves := rel.Overrides.SealedLeaves()
			if rendered := in.Rendered[rel.Key]; rendered != nil && len(leaves) > 0 {
				problems = append(problems, exposed(in, rel, leaves, rendered)...)
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet:  "values: [sealed.yaml]\nplatforms: [{namespace: team-a}]",
		Sealed: "platform: {dynamo-operator: {natsAddr: 'nats://nats-7f3a.example.com:4222'}}\n",
	}},
	Passes: []Example{{
		Fleet:  "values: [sealed.yaml]\nplatforms: [{namespace: team-a}]",
		Sealed: "platform: {global: {password: rhubarb-41}}\n",
		Files:  renders("apiVersion: v1\nkind: Secret\nmetadata: {name: queue}\nstringData: {password: {{ .Values.global.password | quote }}}\n"),
	}},
}

// exposed finds encrypted values in objects that are no Secrets: by marks in
// their place and, where the templates fail on those or decide by the value,
// by themselves.
func exposed(in Input, rel fleet.Release, leaves []fleet.SealedLeaf, rendered *chart.Rendered) []fleet.Problem {
	caps := in.Caps
	if caps == nil {
		caps = chart.OfflineCapabilities()
	}
	places := make([]string, len(leaves))
	marked, err := in.Charts[rel.Chart].RenderAnyway(chart.Release{Name: rel.Name, Namespace: rel.Namespace}, rel.Overrides.Replaced(mark), caps)
	if err == nil {
		search(marked.Objects, places, func(i int) []string { return markOf(i, leaves[i].Leaf) })
	}
	search(rendered.Objects, places, func(i int) []string { return unmistakable(leaves[i]) })
	var problems []fleet.Problem
	for i, leaf := range leaves {
		if places[i] != "" {
			p := problem(leaf.Origin, "%s is encrypted in its file, and %s", dotted(rel.Chart, leaf.Path), places[i])
			p.Fix = keepItClosed
			problems = append(problems, p)
		}
	}
	return problems
}

// search notes for each value the first place that shows one of its forms.
func search(objects []chart.Object, places []string, forms func(i int) []string) {
	for _, object := range objects {
		texts := openTexts(object)
		for _, path := range slices.Sorted(maps.Keys(texts)) {
			for i := range places {
				if places[i] == "" && slices.ContainsFunc(forms(i), func(form string) bool { return showsForm(texts[path], form) }) {
					places[i] = fmt.Sprintf("%s/%s shows it in %s", object.Kind, object.Name, path)
				}
			}
		}
	}
}

// unmistakable are the forms of a text that nothing else is likely to have.
func unmistakable(leaf fleet.SealedLeaf) []string {
	if text, ok := leaf.Leaf.(string); !ok || len(text) < 8 {
		return nil
	}
	return leaf.Forms()
}

// mark is found again in what is rendered; it is of the type of the value.
func mark(i int, leaf any) any {
	switch leaf.(type) {
	case string:
		return fmt.Sprintf("sealed%04dx", i)
	case float64:
		return float64(471101 + i)
	default:
		return leaf
	}
}

func markOf(i int, leaf any) []string {
	switch m := mark(i, leaf).(type) {
	case string:
		return []string{m}
	case float64:
		return []string{strconv.FormatFloat(m, 'f', -1, 64)}
	default:
		return nil
	}
}

// showsForm looks for a form in any case, as it is or within base64.
func showsForm(text, form string) bool {
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(form)) }
	if has(text) {
		return true
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	return err == nil && has(string(decoded))
}

// openTexts are the texts of an object by path, without the content of a Secret.
func openTexts(object chart.Object) map[string]string {
	var content map[string]any
	if object.Read(&content) != nil {
		return map[string]string{"its manifest": object.Content}
	}
	if object.Kind == "Secret" && object.Group() == "" {
		delete(content, "data")
		delete(content, "stringData")
	}
	out := map[string]string{}
	gather(content, nil, out)
	return out
}

func gather(v any, path []string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, field := range v {
			below := append(slices.Clone(path), key)
			into[fleet.JoinPath(below...)+" (the key)"] = key
			gather(field, below, into)
		}
	case []any:
		for i, item := range v {
			gather(item, append(slices.Clone(path), strconv.Itoa(i)), into)
		}
	case float64:
		into[fleet.JoinPath(path...)] = strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		into[fleet.JoinPath(path...)] = v
	}
}

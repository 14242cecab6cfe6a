package main

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestFinishFailsWhenThePathVanished(t *testing.T) {
	podSpec := func(required ...string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "object", Required: required}
	}
	for name, test := range map[string]struct {
		spec map[string]apiextensionsv1.JSONSchemaProps
		want string
	}{
		"no extraPodSpec": {
			spec: nil,
			want: "spec: extraPodSpec: no such property",
		},
		"containers are optional already": {
			spec: map[string]apiextensionsv1.JSONSchemaProps{"extraPodSpec": podSpec()},
			want: `spec: extraPodSpec: property "containers" is not required`,
		},
		"no mainContainer": {
			spec: map[string]apiextensionsv1.JSONSchemaProps{"extraPodSpec": podSpec("containers")},
			want: "spec: extraPodSpec: mainContainer: no such property",
		},
	} {
		t.Run(name, func(t *testing.T) {
			schema := &apiextensionsv1.JSONSchemaProps{Properties: map[string]apiextensionsv1.JSONSchemaProps{
				"spec": {Type: "object", Properties: test.spec},
			}}
			err := apply(schema, edits["dynamocomponentdeployments"]["v1alpha1"])
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestEditAtWantsAMapOrAListForAStar(t *testing.T) {
	schema := &apiextensionsv1.JSONSchemaProps{Type: "object"}
	err := editAt(schema, []string{"*", "name"}, makeOptional("name"))
	if err == nil || !strings.Contains(err.Error(), "neither a map nor a list") {
		t.Errorf("got error %v, want one that says so", err)
	}
}

func TestEncodeRefusesTemplateActions(t *testing.T) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	definition.Spec.Group = "{{ .Values.group }}"
	_, err := encode(withoutStatus(definition))
	if err == nil || !strings.Contains(err.Error(), "helm would take") {
		t.Errorf("got error %v, want one that names the template action", err)
	}
}

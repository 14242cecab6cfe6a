package crdsafety

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Both versions know a and b; what differs is what a webhook makes of them.
const (
	both1  = "{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: string}}}}}}}"
	both2  = "{name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: string}}}}}}}"
	narrow = "{name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {b: {type: string}}}}}}}"
)

func conversion(more string) string {
	return "conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {" + more + "}}}"
}

// swapped is both versions, with the storage in the second.
func swapped() string {
	versions := strings.ReplaceAll(both1+","+both2, "storage: true", "storage: was")
	versions = strings.ReplaceAll(versions, "storage: false", "storage: true")
	return strings.ReplaceAll(versions, "storage: was", "storage: false")
}

// The API server serves one object, which the webhook of the cluster converts:
// spec is how it reads in each version, failing versions cannot be read.
func TestConversions(t *testing.T) {
	const (
		service = "service: {namespace: hooks, name: s}"
		withCA  = service + ", caBundle: QUJD"
		otherCA = service + ", caBundle: REVG"
	)
	hidden1 := strings.Replace(both1, "served: true", "served: false", 1)
	for _, test := range []struct {
		name        string
		old, wanted string
		// was and is are the conversions.
		was, is string
		stored  []string
		spec    map[string]string
		failing string
		class   Class
		says    string
		harms   []string
		// unjudged is the start of what nobody can tell.
		unjudged string
		harmful  bool
	}{
		{
			name: "the webhook goes and made no difference", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Narrowing, says: "versions are no longer converted by webhook hooks/s: objects are in each version as they are stored",
		},
		{
			name: "the webhook goes that moved a to b", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{b: x}"},
			class: Narrowing, says: "versions are no longer converted by webhook hooks/s: objects are in each version as they are stored",
			harms: []string{
				"team-a/chat: spec.a would read differently in v2 without the conversion webhook",
				"team-a/chat: spec.b would read differently in v2 without the conversion webhook",
			}, harmful: true,
		},
		{
			name: "the webhook goes that kept what the other version has no room for", old: both1 + "," + narrow, wanted: both1 + "," + narrow, was: conversion(service),
			spec:  map[string]string{"v1": "{a: x, b: z}", "v2": "{b: z}"},
			class: Narrowing, says: "versions are no longer converted by webhook hooks/s: objects are in each version as they are stored",
		},
		{
			name: "the webhook goes and the stored version is not served", old: hidden1 + "," + both2, wanted: hidden1 + "," + both2, was: conversion(service),
			spec:  map[string]string{"v2": "{b: x}"},
			class: Narrowing, says: "versions are no longer converted by webhook hooks/s: objects are in each version as they are stored",
			unjudged: "objects may be stored in version v1, which is not served", harmful: true,
		},
		{
			name: "the webhook goes and does not answer", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(service), failing: "v2",
			spec:  map[string]string{"v1": "{a: x}"},
			class: Narrowing, says: "versions are no longer converted by webhook hooks/s: objects are in each version as they are stored",
			unjudged: "objects cannot be read in version v2, so that nobody can tell what becomes of them: Internal error occurred: conversion webhook", harmful: true,
		},
		{
			name: "a webhook comes", old: both1 + "," + both2, wanted: both1 + "," + both2, is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Notable, says: "versions are converted by webhook hooks/s from now on, and what it makes of objects cannot be seen before; while it does not answer, objects are only readable as they are stored",
		},
		{
			name: "a webhook comes that has nothing to convert", old: both1, wanted: both1, is: conversion(service),
			spec: map[string]string{"v1": "{a: x}"}, class: Safe,
		},
		{
			name: "a webhook comes and objects are stored as it makes them", old: both1 + "," + both2, wanted: swapped(), is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Breaking, harmful: true,
			says: "what the conversion webhook makes of objects that are stored in version v2 cannot be seen before: the webhook does not convert yet; let it convert first, and store in v2 once objects read well in it",
		},
		{
			name: "objects are stored in a version that is new", old: both1, wanted: swapped(), was: conversion(service), is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}"},
			class: Breaking, harmful: true,
			says: "what the conversion webhook makes of objects that are stored in version v2 cannot be seen before: version v2 is not served yet; serve it first, and store in it once objects read well in it",
		},
		{
			name: "objects are stored in a version that the webhook converts to", old: both1 + "," + both2, wanted: swapped(), was: conversion(service), is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{b: x}"},
			class: Notable, says: "objects are stored in version v2 instead of v1; definitions without v2 cannot be returned to from then on",
		},
		{
			name: "objects are stored in a version that the webhook fails to convert to", old: both1 + "," + both2, wanted: swapped(), was: conversion(service), is: conversion(service), failing: "v2",
			spec:  map[string]string{"v1": "{a: x}"},
			class: Notable, says: "objects are stored in version v2 instead of v1; definitions without v2 cannot be returned to from then on",
			unjudged: "objects cannot be read in version v2", harmful: true,
		},
		{
			name: "a version narrows for what the webhook makes of objects", old: both1 + "," + both2, wanted: both1 + "," + narrow, was: conversion(service), is: conversion(service),
			spec:  map[string]string{"v1": "{b: x}", "v2": "{a: x}"},
			class: Narrowing, says: "v2 spec.a: the field is removed: values are dropped",
			harms: []string{"team-a/chat: spec.a would be dropped"}, harmful: true,
		},
		{
			name: "a version narrows for what is stored and not for what the webhook makes of it", old: both1 + "," + both2, wanted: both1 + "," + narrow, was: conversion(service), is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{b: x}"},
			class: Narrowing, says: "v2 spec.a: the field is removed: values are dropped",
		},
		{
			name: "a version narrows that nobody can read", old: both1 + "," + strings.Replace(both2, "served: true", "served: false", 1), wanted: both1 + "," + strings.Replace(narrow, "served: true", "served: false", 1),
			stored: []string{"v1", "v2"}, spec: map[string]string{"v1": "{b: x}"},
			class: Narrowing, says: "v2 spec.a: the field is removed: values are dropped",
			unjudged: "objects may be stored in version v2, which allows less and is not served", harmful: true,
		},
		{
			name: "another webhook", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(service), is: conversion("service: {namespace: hooks, name: s, path: /v2, port: 8443}"),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Notable, says: "the conversion webhook changes from hooks/s to hooks/s:8443 /v2, and what that makes of objects cannot be seen before",
		},
		{
			name: "another authority", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(withCA), is: conversion(otherCA),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Notable, says: "conversion webhook hooks/s is trusted by another authority; if its certificate is not of that one, objects are only readable as they are stored",
		},
		{
			name: "the authority goes", old: both1 + "," + both2, wanted: both1 + "," + both2, was: conversion(withCA), is: conversion(service),
			spec:  map[string]string{"v1": "{a: x}", "v2": "{a: x}"},
			class: Breaking, harmful: true,
			says: "the authority of conversion webhook hooks/s is taken away: the API server trusts it no longer, and objects are only readable as they are stored",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, wanted := parse(t, "["+test.old+"]", test.was), parse(t, "["+test.wanted+"]", test.is)
			old.Status.StoredVersions = test.stored
			list := func(_ context.Context, version string, page func([]map[string]any) error) error {
				if version == test.failing {
					return apierrors.NewInternalError(errors.New("conversion webhook for example.com/v1, Kind=Chat failed"))
				}
				return page([]map[string]any{object1(t, "team-a", test.spec[version])})
			}
			report, err := Review(context.Background(), old, wanted, list)
			if err != nil {
				t.Fatal(err)
			}
			if report.Worst() != test.class || test.says != "" && !slices.Contains(texts(report.Changes), test.says) {
				t.Errorf("%s: %q", report.Worst(), texts(report.Changes))
			}
			if diff := cmp.Diff(test.harms, harmTexts(report)); diff != "" {
				t.Error(diff)
			}
			if unjudged := strings.Join(report.Unjudged, "; "); !strings.HasPrefix(unjudged, test.unjudged) || (unjudged == "") != (test.unjudged == "") {
				t.Errorf("unjudged: %q, want %q", unjudged, test.unjudged)
			}
			if report.Harmful() != test.harmful {
				t.Errorf("harmful is %v", report.Harmful())
			}
			if none, err := Review(context.Background(), old, wanted, func(context.Context, string, func([]map[string]any) error) error { return nil }); err != nil || none.Harmful() {
				t.Errorf("without objects: %v %+v", err, none)
			}
		})
	}
}

// An authority that another program fills in is not in any chart, and stays.
func TestAnAuthorityOfAnotherProgramStays(t *testing.T) {
	const service = "service: {namespace: hooks, name: s}"
	old, wanted := parse(t, "["+both1+","+both2+"]", conversion(service+", caBundle: QUJD")), parse(t, "["+both1+","+both2+"]", conversion(service))
	old.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "helm", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:versions":{}}}`)},
		{Manager: "cainjector", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:conversion":{"f:webhook":{"f:clientConfig":{"f:caBundle":{}}}}}}`)},
	}
	if found, err := Compare(old, wanted); err != nil || len(found) != 0 {
		t.Errorf("%v %v", found, err)
	}
}

// What is no failure of a webhook, such as a missing permission, ends the review.
func TestOtherErrorsAreErrors(t *testing.T) {
	old, wanted := parse(t, "["+both1+"]", ""), parse(t, "["+strings.Replace(both1, "a: {type: string}, ", "", 1)+"]", "")
	_, err := Review(context.Background(), old, wanted, func(context.Context, string, func([]map[string]any) error) error { return errors.New("no") })
	if err == nil {
		t.Error("the error is lost")
	}
}

package conversion

import (
	"encoding/json"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// specWritten are the managed fields of whoever has written all of a spec.
var specWritten = metav1.NewFieldsV1(`{"f:spec":{}}`)

// Author returns who of an object's field managers wrote its spec last, without the fields; nil if that is
// nobody but the one who is left out. Its APIVersion is the version that the object was written in.
func Author(managers []metav1.ManagedFieldsEntry, without string) *metav1.ManagedFieldsEntry {
	var author *metav1.ManagedFieldsEntry
	for i, entry := range managers {
		if entry.Manager == without || entry.Subresource != "" || !writesSpec(entry.FieldsV1) {
			continue
		}
		if author == nil || entry.Time == nil || !entry.Time.Before(author.Time) {
			author = &managers[i]
		}
	}
	if author == nil {
		return nil
	}
	return &metav1.ManagedFieldsEntry{
		Manager: author.Manager, Operation: author.Operation, APIVersion: author.APIVersion, Time: author.Time,
		FieldsType: author.FieldsType, FieldsV1: specWritten,
	}
}

func writesSpec(fields *metav1.FieldsV1) bool {
	if fields == nil {
		return false
	}
	var set map[string]json.RawMessage
	if json.Unmarshal(fields.GetRawBytes(), &set) != nil {
		return false
	}
	_, writes := set["f:spec"]
	return writes
}

// ForAuthor is a sentence about an object of v1alpha1 in the words of the version that its author wrote it in.
// without is as in Author.
func ForAuthor(sentence string, object metav1.Object, without string) string {
	if author := Author(object.GetManagedFields(), without); author == nil || author.APIVersion != v1beta1.GroupVersion.String() {
		return sentence
	}
	return InBeta(sentence, object)
}

var (
	// alphaPath is a path of v1alpha1 in a sentence.
	alphaPath = regexp.MustCompile(`\bspec\.[A-Za-z]+(\[[^\]\s]+\]|\.[A-Za-z][A-Za-z0-9]*)*`)
	// serviceName is a service of a graph in a sentence.
	serviceName = regexp.MustCompile(`\bservice ([A-Za-z0-9][-A-Za-z0-9]*)`)
)

// InBeta is a sentence about an object of v1alpha1 in the words of v1beta1: paths, and what services are called.
func InBeta(sentence string, object any) string {
	sentence = alphaPath.ReplaceAllStringFunc(sentence, func(path string) string { return BetaPath(path, object) })
	graph, is := object.(*v1alpha1.DynamoGraphDeployment)
	if !is {
		return sentence
	}
	return serviceName.ReplaceAllStringFunc(sentence, func(words string) string {
		name := words[len("service "):]
		if _, has := graph.Spec.Services[name]; !has {
			return words
		}
		return "component " + name
	})
}

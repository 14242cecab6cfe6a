package conversion

import (
	"bytes"
	"encoding/json"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations in which the other version's words are kept, of spec and of status.
const (
	specAnnotation   = "nvidia.com/conversion-spec"
	statusAnnotation = "nvidia.com/conversion-status"
)

// mostKept is what one of them may hold, in bytes: all annotations of an object may hold twice as much.
const mostKept = 128 << 10

// tooMuch stands in the annotation of a spec that has more to keep: such an object can be read in the other
// version, but not written in it.
const tooMuch = "more than fits"

func keepsTooMuch(object []byte) bool {
	var meta metav1.PartialObjectMetadata
	return json.Unmarshal(object, &meta) == nil && meta.Annotations[specAnnotation] == tooMuch
}

// Private reports whether an annotation belongs to the conversion, and says nothing to anybody else.
func Private(annotation string) bool {
	return annotation == specAnnotation || annotation == statusAnnotation
}

// Keeps reports whether an object has something that only its other version can say.
func Keeps(meta metav1.ObjectMeta) bool {
	_, found := meta.Annotations[specAnnotation]
	return found
}

// read returns what an annotation keeps, nil if there is none. A damaged one keeps nothing.
func read[T any](meta metav1.ObjectMeta, annotation string) *T {
	text, found := meta.Annotations[annotation]
	if !found || len(text) > mostKept {
		return nil
	}
	kept := new(T)
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(kept); err != nil {
		return nil
	}
	return kept
}

// withKept returns the metadata of the converted object: its source's, with other annotations of ours.
// The candidates are tried in turn until one is small enough; an empty one needs no annotation.
func withKept(meta metav1.ObjectMeta, spec, status []any) metav1.ObjectMeta {
	meta = *meta.DeepCopy()
	annotations := maps.Clone(meta.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return Private(key) })
	annotate := func(annotation, text string) {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[annotation] = text
	}
	set := func(annotation string, candidates []any) {
		for _, kept := range candidates {
			text, err := json.Marshal(kept)
			if err != nil || len(text) > mostKept {
				continue
			}
			if string(text) != "{}" && string(text) != "null" {
				annotate(annotation, string(text))
			}
			return
		}
		if annotation == specAnnotation && len(candidates) > 0 {
			annotate(annotation, tooMuch)
		}
	}
	set(specAnnotation, spec)
	set(statusAnnotation, status)
	meta.Annotations = annotations
	return meta
}

package session

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// PageSize is how many objects one request asks for, unless its options say so.
const PageSize = 500

// EachPage lists objects page by page, so that no answer is too large, and so
// that not all of them need to be in memory at once. Where a list takes so long
// that the API server no longer has the state in which it began, it goes on with
// the state of now, as the API server offers: nothing is visited twice.
func EachPage[List metav1.ListInterface](ctx context.Context, options metav1.ListOptions,
	list func(context.Context, metav1.ListOptions) (List, error), visit func(List) error,
) error {
	if options.Limit == 0 {
		options.Limit = PageSize
	}
	for {
		page, err := list(ctx, options)
		if next := fromNow(err); next != "" {
			options.Continue = next
			continue
		}
		if err != nil {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// fromNow is where a list goes on whose state has expired; empty if it cannot.
func fromNow(err error) string {
	var status apierrors.APIStatus
	if !apierrors.IsResourceExpired(err) || !errors.As(err, &status) {
		return ""
	}
	return status.Status().Continue
}

// EachMetadata visits the metadata of all objects of a kind in a namespace, or in
// all if it is empty. A cluster that does not serve the kind has none.
func (s *Session) EachMetadata(ctx context.Context, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions, visit func(*metav1.PartialObjectMetadata)) error {
	err := EachPage(ctx, options, s.Metadata.Resource(gvr).Namespace(namespace).List, func(page *metav1.PartialObjectMetadataList) error {
		for i := range page.Items {
			visit(&page.Items[i])
		}
		return nil
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

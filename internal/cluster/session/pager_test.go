package session

import (
	"context"
	"errors"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pages answers with one object a page, and says at the second one that it has
// forgotten the state in which the list began.
func pages(expired error) func(context.Context, metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	return func(_ context.Context, options metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
		page := func(name, next string) *metav1.PartialObjectMetadataList {
			return &metav1.PartialObjectMetadataList{
				ListMeta: metav1.ListMeta{Continue: next},
				Items:    []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{Name: name}}},
			}
		}
		switch options.Continue {
		case "":
			return page("a", "old"), nil
		case "old":
			return nil, expired
		default:
			return page("b", ""), nil
		}
	}
}

func visited(list func(context.Context, metav1.ListOptions) (*metav1.PartialObjectMetadataList, error)) (names []string, err error) {
	err = EachPage(context.Background(), metav1.ListOptions{}, list, func(page *metav1.PartialObjectMetadataList) error {
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		return nil
	})
	return names, err
}

func TestAListWhoseStateHasExpiredGoesOn(t *testing.T) {
	expired := apierrors.NewResourceExpired("the provided continue parameter is too old")
	expired.ErrStatus.Continue = "now"
	names, err := visited(pages(expired))
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("visited %v, %v", names, err)
	}
}

func TestAListThatCannotGoOnIsAnError(t *testing.T) {
	expired := apierrors.NewResourceExpired("the provided continue parameter is too old")
	if names, err := visited(pages(expired)); !errors.Is(err, expired) {
		t.Errorf("visited %v, %v", names, err)
	}
}

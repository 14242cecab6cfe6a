package webhook

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// Authors tells whether authors have the rights that their objects make use of.
// The zero value asks nobody.
type Authors struct {
	// Reviews creates LocalSubjectAccessReviews.
	Reviews client.Client
}

// mostQuestions bounds what one object may make the API server decide.
const mostQuestions = 100

// check asks the API server for each right once, and refuses the fields that
// the author has no right to.
func (a Authors) check(ctx context.Context, user authenticationv1.UserInfo, namespace string, rights []validate.Right) (field.ErrorList, error) {
	if a.Reviews == nil {
		return nil, nil
	}
	var errs field.ErrorList
	known := map[authorizationv1.ResourceAttributes]bool{}
	for _, right := range rights {
		attributes := right.Attributes
		attributes.Namespace = namespace
		allowed, asked := known[attributes]
		if !asked && len(known) == mostQuestions {
			return append(errs, field.Forbidden(right.Path, fmt.Sprintf("the object needs more than %d different rights of its author: make several of it", mostQuestions))), nil
		}
		if !asked {
			var err error
			if allowed, err = a.allowed(ctx, user, attributes); err != nil {
				return nil, err
			}
			known[attributes] = allowed
		}
		if !allowed {
			errs = append(errs, field.Forbidden(right.Path, fmt.Sprintf("%s may not %s in namespace %s, and the operator does not do it for others",
				plain.Text(user.Username, 100), plain.Text(described(attributes), 300), namespace)))
		}
	}
	return errs, nil
}

func (a Authors) allowed(ctx context.Context, user authenticationv1.UserInfo, attributes authorizationv1.ResourceAttributes) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.LocalSubjectAccessReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: attributes.Namespace},
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra, ResourceAttributes: &attributes,
		},
	}
	if err := a.Reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether %s may %s: %w", user.Username, described(attributes), err)
	}
	return review.Status.Allowed, nil
}

// described is a right as a person says it.
func described(a authorizationv1.ResourceAttributes) string {
	resource := a.Resource
	if a.Group != "" {
		resource += "." + a.Group
	}
	if a.Name != "" {
		resource += " " + a.Name
	}
	return a.Verb + " " + resource
}

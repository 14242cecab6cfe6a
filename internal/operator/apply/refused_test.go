package apply

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestRefused(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return fmt.Errorf("apply PodCliqueSet a/b: %w", &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}})
	}
	denial := `admission webhook "x.example.com" denied the request: no`
	sets := schema.GroupResource{Resource: "podcliquesets"}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                  {nil, false},
		"invalid":                  {apierrors.NewInvalid(schema.GroupKind{}, "b", nil), true},
		"denied":                   {status(http.StatusForbidden, metav1.StatusReasonForbidden, denial), true},
		"denied without a reason":  {status(http.StatusBadRequest, "", denial), true},
		"a right that is missing":  {apierrors.NewForbidden(sets, "b", errors.New("cannot patch")), false},
		"a quota that is used up":  {apierrors.NewForbidden(sets, "b", errors.New("exceeded quota")), false},
		"a field that it has not":  {status(http.StatusInternalServerError, "", `failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.template.spec.x: field not declared in schema`), true},
		"one key twice":            {status(http.StatusInternalServerError, "", `failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.template.spec.volumes: duplicate entries for key [name="x"]`), true},
		"a live object of others":  {status(http.StatusInternalServerError, "", `failed to create typed live object: .metadata.x: field not declared in schema`), false},
		"a webhook that is absent": {status(http.StatusInternalServerError, metav1.StatusReasonInternalError, `failed calling webhook "x.example.com"`), false},
		"words of somebody else":   {errors.New(denial), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Refused(tc.err); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

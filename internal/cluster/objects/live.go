package objects

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Live reads the object that a release renders, with the API server's
// bookkeeping of who set which field; nil if it does not exist.
func (o *Objects) Live(ctx context.Context, object chart.Object, key fleet.Key) (map[string]any, error) {
	at, err := o.session.Locate(object, key)
	if err != nil || !at.Served {
		return nil, err
	}
	live, err := o.session.Client(at).Get(ctx, object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, o.session.Explain("read "+object.String(), err)
	}
	return live.Object, nil
}

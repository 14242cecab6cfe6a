package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Live reads the object that a release renders, with the API server's
// bookkeeping of who set which field; nil if it does not exist.
func (s *Session) Live(ctx context.Context, object chart.Object, key fleet.Key) (map[string]any, error) {
	client, _, err := s.at(object, key)
	if err != nil || client == nil {
		return nil, err
	}
	live, err := client.Get(ctx, object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("read "+object.String(), err)
	}
	return live.Object, nil
}

package graph

import (
	"context"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// ensureAdapters sees to it that each service that asks for a scaling adapter
// has one, and takes its replicas from there. They are what counts: the graph's
// spec follows them, and may lag behind or be edited by mistake.
func (l *life) ensureAdapters(ctx context.Context) error {
	l.scaled = l.dgd.DeepCopy()
	var kept []client.Object
	for _, adapter := range render.ScalingAdapters(l.dgd) {
		wanted := adapter.Spec.DGDRef
		if err := l.Apply.Ensure(ctx, l.dgd, adapter); err != nil {
			return err
		}
		// What an adapter scales is not to be changed. This one goes, and the
		// next look makes it anew.
		if adapter.Spec.DGDRef != wanted {
			continue
		}
		kept = append(kept, adapter)
		l.scaled.Spec.Services[wanted.ServiceName].Replicas = ptr.To(adapter.Spec.Replicas)
	}
	return l.Apply.Prune(ctx, l.dgd, kept, &v1alpha1.DynamoGraphDeploymentScalingAdapter{})
}

package component

import (
	"context"
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
)

// applyIngress makes the component have this Ingress, or none.
func (c *Controller) applyIngress(ctx context.Context, dcd *v1alpha1.DynamoComponentDeployment, wanted *networkingv1.Ingress) error {
	keep := map[string]bool{}
	if wanted != nil {
		keep[wanted.Name] = true
		if err := c.Apply.Apply(ctx, dcd, wanted); err != nil {
			return err
		}
	}
	var list networkingv1.IngressList
	if err := c.listOf(ctx, dcd, &list); err != nil {
		return err
	}
	existing := make([]client.Object, len(list.Items))
	for i := range list.Items {
		existing[i] = &list.Items[i]
	}
	return c.Apply.Prune(ctx, dcd, existing, keep)
}

// applyVirtualService is the same for Istio.
func (c *Controller) applyVirtualService(ctx context.Context, dcd *v1alpha1.DynamoComponentDeployment, wanted *istio.VirtualService) error {
	keep := map[string]bool{}
	if wanted != nil {
		keep[wanted.Name] = true
		if err := c.Apply.Apply(ctx, dcd, wanted); err != nil {
			return err
		}
	}
	var list istio.VirtualServiceList
	if err := c.listOf(ctx, dcd, &list); err != nil {
		return err
	}
	existing := make([]client.Object, len(list.Items))
	for i := range list.Items {
		existing[i] = &list.Items[i]
	}
	return c.Apply.Prune(ctx, dcd, existing, keep)
}

func (c *Controller) listOf(ctx context.Context, dcd *v1alpha1.DynamoComponentDeployment, list client.ObjectList) error {
	err := c.Client.List(ctx, list, client.InNamespace(dcd.Namespace), client.MatchingLabels{v1alpha1.LabelSelector: dcd.Name})
	if err != nil {
		return fmt.Errorf("list what exposes %s/%s: %w", dcd.Namespace, dcd.Name, err)
	}
	return nil
}

// Package component runs DynamoComponentDeployments: one part of a graph each,
// or written by hand.
package component

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/sshkeys"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// life is one look at a component.
type life struct {
	*lifecycle.Visit
	*status

	// kind of workload that runs the component, and the workload.
	kind workload.Type
	runs workload.Workload
}

func begin(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
	return &life{Visit: visit, status: statusOf(object.(*v1alpha1.DynamoComponentDeployment))}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{l.chooseWorkload, l.ensureKeys, l.run, l.observe}
}

// ensureKeys makes what the pods need that meet by SSH.
func (l *life) ensureKeys(ctx context.Context) error {
	if !render.MeetsBySSH(l.dcd.Spec.BackendFramework, &l.dcd.Spec.DynamoComponentDeploymentSharedSpec) {
		return nil
	}
	return sshkeys.Ensure(ctx, l.Apply, l.dcd)
}

func (l *life) chooseWorkload(context.Context) error {
	l.valid()
	kind, err := workload.Choose(workloads, l.dcd, l.Cluster)
	if err != nil {
		return lifecycle.Refuse(reasonUnsupported, err.Error())
	}
	l.kind = kind
	return nil
}

// run applies the workload behind its Service, and what exposes it.
func (l *life) run(ctx context.Context) error {
	objects, err := render.Component(l.dcd, l.Config)
	if err != nil {
		return err
	}
	l.runs = l.kind.Of(objects)
	wanted := append([]client.Object{objects.Service}, l.runs.Objects()...)
	if objects.Ingress != nil {
		wanted = append(wanted, objects.Ingress)
	}
	if objects.VirtualService != nil && l.Cluster.VirtualServices {
		wanted = append(wanted, objects.VirtualService)
	}
	switch {
	case objects.HTTPRoute == nil:
	case l.Cluster.HTTPRoutes:
		wanted = append(wanted, objects.HTTPRoute)
	case l.dcd.Spec.Ingress != nil:
		return lifecycle.Refuse(reasonUnsupported, "ingress.enabled needs the Gateway API (gateway.networking.k8s.io/v1) in the cluster, because the operator's configuration has a Gateway (dynamo.gateway): "+
			"install it, and the component goes on by itself; or name an ingress.ingressControllerClassName")
	}
	err = l.Apply.Sync(ctx, l.dcd, wanted, replaceable(l.Cluster)...)
	if apply.Refused(err) {
		l.LookAgain(lifecycle.AfterRefusal)
		return lifecycle.Refuse(v1alpha1.ReasonValidationFailed, objects.AuthorsWords(err))
	}
	return err
}

// observe writes into the status how the workload does and, if it is not
// ready, why.
func (l *life) observe(ctx context.Context) error {
	seen, err := l.runs.Observe(ctx, workload.PodsOf(l.Client))
	if err != nil {
		return err
	}
	l.workload(seen)
	if seen.Starting {
		l.MoreSoon()
	}
	return nil
}

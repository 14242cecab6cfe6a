package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Need is a right that a rollout needs before it may begin.
type Need struct {
	Verbs []string
	// Object is what is written; for Roles and bindings the rights that they
	// grant are needed as well.
	Object *chart.Object
	// Wait says that the object is waited for, if its kind has a readiness.
	Wait bool
	// Group and Resource are set where there is no object.
	Group, Resource string
	// Namespace is where; empty for objects of the cluster.
	Namespace string
	// For says what needs the right.
	For string
}

// Missing is a right that the user does not have.
type Missing struct {
	Verbs    []string `json:"verbs"`
	Group    string   `json:"group,omitempty"`
	Resource string   `json:"resource,omitempty"`
	// Name limits the right to one object; empty for all.
	Name string `json:"name,omitempty"`
	// URL is set instead of a resource for what is no object.
	URL string `json:"url,omitempty"`
	// Namespace is empty for the cluster as a whole.
	Namespace string `json:"namespace,omitempty"`
	// For says what needs the right.
	For string `json:"for"`
}

// Rights says who the user is and what he lacks.
type Rights struct {
	// User is the name as the API server knows it; empty if it does not tell.
	User    string
	Missing []Missing
}

// PermissionError says that the user may not do what the plan does.
type PermissionError struct {
	Rights
	Fleet string
}

func (e *PermissionError) Error() string {
	who := "you"
	if e.User != "" {
		who = e.User
	}
	return fmt.Sprintf("nothing was written: %s may not do all of this, %d rights are missing; an administrator can grant them with the manifest above", who, len(e.Missing))
}

// Verbs by what is done.
var (
	recordVerbs = []string{"create", "delete", "get", "list", "update"}
	leaseVerbs  = []string{"create", "get", "update"}
	applyVerbs  = []string{"create", "get", "patch"}
	deleteVerbs = []string{"delete", "get"}
)

// needs lists the rights that executing the plan takes. The journal is where
// the fleet's lock and history are.
func (p *Plan) needs(journal string, wait bool) []Need {
	if !p.Changes() {
		return nil
	}
	out := []Need{
		{Verbs: leaseVerbs, Group: "coordination.k8s.io", Resource: "leases", Namespace: journal, For: "the fleet's lock"},
		{Verbs: recordVerbs, Resource: "secrets", Namespace: journal, For: "the fleet's history"},
	}
	for _, step := range p.Steps {
		switch {
		case step.Kind == StepNamespace && step.Action == ActionCreate:
			out = append(out, Need{Verbs: []string{"create"}, Resource: "namespaces", For: "namespace " + step.Namespace})
		case step.Kind == StepRelease && step.Action.Changes():
			out = append(out, step.needs(wait)...)
		case step.Kind == StepCRDs && step.Action.Changes() && step.target.Rendered != nil:
			out = append(out, objectNeeds(step.ID, step.Key, step.target.Rendered.Objects, wait)...)
		}
	}
	return out
}

func (s Step) needs(wait bool) []Need {
	reason := "release " + s.Key.String()
	out := []Need{{Verbs: recordVerbs, Resource: "secrets", Namespace: s.Key.Namespace, For: reason}}
	if s.target.Rendered != nil {
		out = append(out, objectNeeds(reason, s.Key, s.target.Rendered.Objects, wait)...)
	}
	for _, gone := range s.gone {
		out = append(out, Need{Verbs: deleteVerbs, Object: &gone, Namespace: namespaceIn(gone, s.Key), For: reason})
	}
	return out
}

func objectNeeds(reason string, key fleet.Key, objects []chart.Object, wait bool) []Need {
	var out []Need
	for i := range objects {
		out = append(out, Need{
			Verbs: applyVerbs, Object: &objects[i], Wait: wait || isCRD(objects[i]),
			Namespace: namespaceIn(objects[i], key), For: reason,
		})
	}
	return out
}

func namespaceIn(o chart.Object, key fleet.Key) string {
	if o.Namespace != "" {
		return o.Namespace
	}
	return key.Namespace
}

// readNeeds lists what planning itself takes.
func readNeeds(d *Desired, targets []Target) []Need {
	journal := d.Fleet.CRDs.Namespace.Value
	out := []Need{{Verbs: []string{"get", "list"}, Resource: "secrets", Namespace: journal, For: "the fleet's history"}}
	for _, namespace := range namespacesOf(d.Set) {
		out = append(out,
			Need{Verbs: []string{"get"}, Resource: "namespaces", For: "namespace " + namespace},
			Need{Verbs: []string{"get", "list"}, Resource: "secrets", Namespace: namespace, For: "the releases in " + namespace})
	}
	for _, target := range targets {
		out = append(out, objectNeeds("release "+target.String(), target.Key, target.Rendered.Objects, true)...)
	}
	return out
}

// Permit makes sure that the user may do what the plan does, before anything is
// done. The error is a *PermissionError if he may not.
func (p *Plan) Permit(ctx context.Context, d *Desired, cluster Cluster, wait bool) error {
	return permit(ctx, d.Set.Name, cluster, p.needs(d.Fleet.CRDs.Namespace.Value, wait))
}

// PermitAll is for a user who may not even read what a plan needs: it names
// everything that installing the fleet takes. It returns nil if nothing of that
// is missing.
func PermitAll(ctx context.Context, d *Desired, cluster Cluster) error {
	targets, err := d.Targets(ctx, chart.OfflineCapabilities())
	if err != nil {
		return err
	}
	needs := readNeeds(d, targets)
	sets, err := crdSets(targets)
	if err != nil {
		return err
	}
	plan := &Plan{}
	for _, set := range sets {
		plan.Steps = append(plan.Steps, Step{ID: set.id(), Kind: StepCRDs, Action: ActionCreate, target: Target{Rendered: &chart.Rendered{Objects: set.Objects}}})
	}
	for _, target := range targets {
		plan.Steps = append(plan.Steps, Step{Kind: StepRelease, Action: ActionInstall, Key: target.Key, target: target})
	}
	return permit(ctx, d.Set.Name, cluster, append(needs, plan.needs(d.Fleet.CRDs.Namespace.Value, true)...))
}

func permit(ctx context.Context, name string, cluster Cluster, needs []Need) error {
	if len(needs) == 0 {
		return nil
	}
	rights, err := cluster.Rights(ctx, needs)
	if err != nil {
		return err
	}
	if len(rights.Missing) == 0 {
		return nil
	}
	slices.SortFunc(rights.Missing, func(a, b Missing) int { return strings.Compare(a.order(), b.order()) })
	return &PermissionError{Rights: rights, Fleet: name}
}

func (m Missing) order() string {
	return strings.Join([]string{m.Namespace, m.Group, m.Resource, m.Name, m.URL, m.For}, "\x00")
}

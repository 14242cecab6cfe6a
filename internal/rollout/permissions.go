package rollout

import (
	"cmp"
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

func (m Missing) order() string {
	return strings.Join([]string{m.Namespace, m.Group, m.Resource, m.Name, m.URL, m.For}, "\x00")
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
	// namespaces are the fleet's.
	namespaces []string
}

// Outside are the rights that only an administrator of the cluster can grant,
// Inside those in the fleet's namespaces, which may have administrators of their
// own.
func (e *PermissionError) Outside() []Missing { return e.missing(false) }

// Inside is the rest of Outside.
func (e *PermissionError) Inside() []Missing { return e.missing(true) }

func (e *PermissionError) missing(inside bool) (out []Missing) {
	for _, m := range e.Missing {
		if slices.Contains(e.namespaces, m.Namespace) == inside {
			out = append(out, m)
		}
	}
	return out
}

func (e *PermissionError) Error() string {
	who := "you"
	if e.User != "" {
		who = e.User
	}
	return fmt.Sprintf("nothing was written: %s may not do all of this, %d rights are missing; the manifests above grant them", who, len(e.Missing))
}

// Verbs by what is done.
var (
	recordVerbs = []string{"create", "delete", "get", "list", "update"}
	// forgetVerbs are for the records of a release that is removed.
	forgetVerbs = []string{"delete", "get", "list", "update"}
	leaseVerbs  = []string{"create", "get", "update"}
	applyVerbs  = []string{"create", "get", "patch"}
	deleteVerbs = []string{"delete", "get"}
	// goneVerbs are for what is waited for until it is gone.
	goneVerbs = []string{"delete", "list", "watch"}
)

const (
	crdGroup    = "apiextensions.k8s.io"
	crdResource = "customresourcedefinitions"
	graphGroup  = "nvidia.com"
	graphs      = "dynamographdeployments"
	claims      = "persistentvolumeclaims"
	// Everything stands for all resources of a namespace.
	Everything = "*"
)

// Reviewer knows what the user may.
type Reviewer interface {
	// Rights tells which of the needed rights the user does not have.
	Rights(ctx context.Context, needs []Need) (Rights, error)
}

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
	if p.journalMissing {
		out = append(out, Need{Verbs: []string{"create"}, Resource: "namespaces", For: "namespace " + journal + ", for the fleet's history"})
	}
	for i := range p.Steps {
		if step := &p.Steps[i]; step.Action.Changes() && step.Left == "" {
			out = append(out, kinds[step.Kind].needs(step, wait)...)
		}
	}
	return out
}

func goneNeeds(reason string, key fleet.Key, objects []chart.Object) []Need {
	var out []Need
	for i := range objects {
		out = append(out, Need{Verbs: deleteVerbs, Object: &objects[i], Namespace: namespaceIn(objects[i], key), For: reason})
	}
	return out
}

// undoNeeds lists what taking the plan back takes beyond executing it: new
// objects are deleted again, deleted ones come back.
func (p *Plan) undoNeeds() []Need {
	var out []Need
	for _, step := range p.Steps {
		if step.Kind != StepRelease || step.target.Rendered == nil || !step.Action.Changes() {
			continue
		}
		reason := "taking release " + step.Key.String() + " back"
		created := map[string]bool{}
		for _, change := range step.Changes {
			created[change.String()] = change.Action == ChangeCreate
		}
		var fresh []chart.Object
		for _, o := range step.target.Rendered.Objects {
			named := Change{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
			inside := Change{Kind: o.Kind, Namespace: step.Key.Namespace, Name: o.Name}
			if !o.Kept() && (created[named.String()] || created[inside.String()]) {
				fresh = append(fresh, o)
			}
		}
		out = append(out, goneNeeds(reason, step.Key, fresh)...)
		out = append(out, objectNeeds(reason, step.Key, step.gone, false)...)
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
func readNeeds(id Identity, targets []Target) []Need {
	out := recordNeeds(id)
	for _, target := range targets {
		out = append(out, objectNeeds("release "+target.String(), target.Key, target.Rendered.Objects, true)...)
	}
	return out
}

// recordNeeds lists what it takes to read which releases there are.
func recordNeeds(id Identity) []Need {
	journal := id.Journal()
	out := []Need{{Verbs: []string{"get", "list"}, Resource: "secrets", Namespace: journal, For: "the fleet's history"}}
	for _, namespace := range id.Namespaces() {
		out = append(out,
			Need{Verbs: []string{"get"}, Resource: "namespaces", Namespace: namespace, For: "namespace " + namespace},
			Need{Verbs: []string{"get", "list"}, Resource: "secrets", Namespace: namespace, For: "the releases in " + namespace})
	}
	return out
}

// Permit makes sure that the user may do what the plan does, before anything is
// done. The error is a *PermissionError if he may not.
func (p *Plan) Permit(ctx context.Context, id Identity, cluster Reviewer, wait bool) error {
	return permit(ctx, id, cluster, p.needs(id.Journal(), wait))
}

// PermitUndo makes sure, after Preview, that the user may also take back what
// the plan does.
func (p *Plan) PermitUndo(ctx context.Context, id Identity, cluster Reviewer, wait bool) error {
	return permit(ctx, id, cluster, append(p.needs(id.Journal(), wait), p.undoNeeds()...))
}

// PermitRollback is for a user who may not even read what going back needs: it
// names everything that going back to what the file describes takes, as far as
// the file can be read (d is nil if not).
func PermitRollback(ctx context.Context, id Identity, d *Desired, cluster Reviewer) error {
	targets, err := d.targetsOffline(ctx)
	if err != nil {
		return err
	}
	plan := &Plan{}
	for _, target := range targets {
		gone, _ := without(target.Rendered.Objects, nil)
		plan.Steps = append(plan.Steps, Step{Kind: StepRelease, Action: ActionRollback, Key: target.Key, target: target, gone: gone})
	}
	return permit(ctx, id, cluster, append(readNeeds(id, targets), plan.needs(id.Journal(), false)...))
}

// PermitDestroy is for a user who may not even read what is to be destroyed: it
// names everything that removing what the file describes takes, as far as the
// file can be read (d is nil if not).
func PermitDestroy(ctx context.Context, id Identity, d *Desired, cluster Reviewer, options DestroyOptions) error {
	targets, err := d.targetsOffline(ctx)
	if err != nil {
		return err
	}
	needs := destroyReadNeeds(id)
	destroy := &DestroyPlan{Options: options, Claims: map[fleet.Key][]string{}, Namespaces: id.Namespaces(), objects: map[fleet.Key][]chart.Object{}}
	var crds fleet.Key
	for _, target := range targets {
		if target.Chart == fleet.ChartCRDs {
			crds = target.Key
			continue
		}
		if target.Chart == fleet.ChartConversion {
			destroy.conversion = Record{Key: target.Key, Revision: 1}
			destroy.objects[target.Key], _ = without(target.Rendered.Objects, nil)
			continue
		}
		destroy.Releases = append(destroy.Releases, Record{Key: target.Key})
		destroy.objects[target.Key], _ = without(target.Rendered.Objects, nil)
		destroy.Claims[target.Key] = []string{Everything}
		destroy.Graphs = append(destroy.Graphs, Graph{Namespace: cmp.Or(target.Serves, target.Namespace)})
	}
	destroy.plan(id, crds, true)
	return permit(ctx, id, cluster, append(needs, destroy.Plan.needs(id.Journal(), false)...))
}

// targetsOffline renders what the file describes; nothing if it cannot be read.
func (d *Desired) targetsOffline(ctx context.Context) ([]Target, error) {
	if d == nil {
		return nil, nil
	}
	return d.Targets(ctx, chart.OfflineCapabilities())
}

// destroyReadNeeds lists what it takes to find out what there is to destroy.
func destroyReadNeeds(id Identity) []Need {
	out := recordNeeds(id)
	if id.Set.Confined == nil {
		out = append(out, Need{Verbs: []string{"get", "list"}, Group: crdGroup, Resource: crdResource, For: "the CRDs"})
	}
	served := servedNamespaces(id.Set)
	if served == nil {
		served = []string{""}
	}
	for _, namespace := range served {
		out = append(out, Need{Verbs: []string{"list"}, Group: graphGroup, Resource: graphs, Namespace: namespace, For: "which graphs run"})
	}
	for _, namespace := range id.Namespaces() {
		out = append(out, Need{Verbs: []string{"list"}, Resource: claims, Namespace: namespace, For: "the volume claims in " + namespace})
	}
	return out
}

// PermitAll is for a user who may not even read what a plan needs: it names
// everything that installing the fleet takes. It returns nil if nothing of that
// is missing.
func PermitAll(ctx context.Context, d *Desired, cluster Reviewer) error {
	targets, err := d.Targets(ctx, chart.OfflineCapabilities())
	if err != nil {
		return err
	}
	needs := readNeeds(d.Identity, targets)
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
		if target.authority, err = authorityOf(target.Key, target.Rendered.Objects); err != nil {
			return err
		}
		if target.authority != nil {
			plan.Steps = append(plan.Steps, Step{Kind: StepCertificate, Action: ActionCreate, Key: target.Key, target: target})
		}
	}
	return permit(ctx, d.Identity, cluster, append(needs, plan.needs(d.Journal(), true)...))
}

func permit(ctx context.Context, id Identity, cluster Reviewer, needs []Need) error {
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
	return &PermissionError{Rights: rights, Fleet: id.Set.Name, namespaces: id.Namespaces()}
}

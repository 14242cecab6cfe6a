// Package rights finds out what a user may not do, before anything is done.
package rights

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/await"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/objects"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Reviewer asks the API server what its user may.
type Reviewer struct{ session *session.Session }

// New makes a Reviewer.
func New(s *session.Session) Reviewer { return Reviewer{s} }

// access is one thing that somebody may or may not do.
type access struct {
	verb, group, resource, name string
	// namespace is empty for the cluster as a whole.
	namespace string
	// url is set instead of a resource for what is no object.
	url string
}

// Rights tells which of the needed rights the user lacks. An administrator
// costs one request. For others, what is allowed everywhere is found with one
// request per verb and resource, the rest with one per namespace.
func (v Reviewer) Rights(ctx context.Context, needs []rollout.Need) (rollout.Rights, error) {
	r := &rights{session: v.session, asked: map[access]func() (bool, error){}, rules: map[string]func() (*authorizationv1.SubjectRulesReviewStatus, error){}}
	if all, err := r.everywhere(ctx, access{verb: "*", group: "*", resource: "*"}); err != nil || all {
		return rollout.Rights{}, err
	}
	wanted, err := r.wanted(ctx, needs)
	if err != nil {
		return rollout.Rights{}, err
	}
	group, gctx := errgroup.WithContext(ctx)
	for _, w := range wanted {
		group.Go(func() error { return r.check(gctx, w) })
	}
	if err := group.Wait(); err != nil {
		return rollout.Rights{}, err
	}
	out := rollout.Rights{Missing: r.missing()}
	if len(out.Missing) > 0 {
		out.User = r.user(ctx)
	}
	return out, nil
}

// user is the name under which the API server knows the user; empty if it does
// not tell.
func (r *rights) user(ctx context.Context) string {
	review, err := r.session.Kube.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}

// rights remembers answers, so that each question is asked once.
type rights struct {
	session *session.Session
	mutex   sync.Mutex
	asked   map[access]func() (bool, error)
	rules   map[string]func() (*authorizationv1.SubjectRulesReviewStatus, error)
	denied  []denial
}

type denial struct {
	access
	reason string
}

// want is an access with its reason; any of the alternatives will do instead.
type want struct {
	access
	reason       string
	alternatives []access
}

// wanted spells needs out, each access once.
func (r *rights) wanted(ctx context.Context, needs []rollout.Need) ([]want, error) {
	var out []want
	// What is granted may also be escalated to, what is done may not.
	type question struct {
		access
		granted bool
	}
	seen := map[question]bool{}
	add := func(w want) {
		q := question{w.access, len(w.alternatives) > 0}
		if !seen[q] {
			seen[q] = true
			out = append(out, w)
		}
	}
	roles := rolesIn(needs)
	for _, need := range needs {
		if need.Group == rollout.Everything {
			all, err := r.accessToAll(need)
			if err != nil {
				return nil, err
			}
			for _, w := range all {
				add(w)
			}
			continue
		}
		base, err := r.accessTo(need)
		if err != nil {
			return nil, err
		}
		verbs := need.Verbs
		if need.Wait && need.Object != nil && await.Gated(need.Object.Kind) {
			verbs = slices.Concat(verbs, []string{"list", "watch"})
		}
		for _, verb := range verbs {
			base.verb = verb
			add(want{access: base, reason: need.For})
		}
		granted, err := r.granted(ctx, need, base.namespace, roles)
		if err != nil {
			return nil, err
		}
		for _, w := range granted {
			add(w)
		}
	}
	return out, nil
}

// accessToAll spells out a need that is about all that a namespace may hold.
func (r *rights) accessToAll(need rollout.Need) ([]want, error) {
	listed, err := objects.Listable(r.session)
	if err != nil {
		return nil, err
	}
	var out []want
	for _, resource := range listed {
		for _, verb := range need.Verbs {
			out = append(out, want{access: access{verb: verb, group: resource.Group, resource: resource.Resource, namespace: need.Namespace}, reason: need.For})
		}
	}
	return out, nil
}

// accessTo finds the resource that a need is about.
func (r *rights) accessTo(need rollout.Need) (access, error) {
	if need.Object == nil {
		return access{group: need.Group, resource: need.Resource, namespace: need.Namespace}, nil
	}
	m, err := r.session.Mapping(need.Object.APIVersion, need.Object.Kind)
	if meta.IsNoMatchError(err) {
		// Its CRD comes with this rollout.
		plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(need.Object.APIVersion, need.Object.Kind))
		return access{group: plural.Group, resource: plural.Resource, namespace: need.Namespace}, nil
	}
	if err != nil {
		return access{}, r.session.Explain("look up "+need.Object.Kind, err)
	}
	a := access{group: m.Resource.Group, resource: m.Resource.Resource, namespace: need.Namespace}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		a.namespace = ""
	}
	return a, nil
}

func (r *rights) check(ctx context.Context, w want) error {
	for _, a := range append([]access{w.access}, w.alternatives...) {
		allowed, err := r.allowed(ctx, a)
		if err != nil || allowed {
			return err
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.denied = append(r.denied, denial{w.access, w.reason})
	return nil
}

// allowed asks for the cluster as a whole first, unless few namespaces matter:
// that answer serves all of them.
func (r *rights) allowed(ctx context.Context, a access) (bool, error) {
	if a.namespace == "" || r.session.Confined() == nil {
		wide := a
		wide.namespace = ""
		if allowed, err := r.everywhere(ctx, wide); err != nil || allowed || a.namespace == "" {
			return allowed, err
		}
	}
	rules, err := r.rulesIn(ctx, a.namespace)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(rules.ResourceRules, a.within) {
		return true, nil
	}
	if rules.Incomplete {
		return r.everywhere(ctx, a)
	}
	return false, nil
}

// everywhere asks the API server about one access.
func (r *rights) everywhere(ctx context.Context, a access) (bool, error) {
	r.mutex.Lock()
	ask, known := r.asked[a]
	if !known {
		ask = sync.OnceValues(func() (bool, error) { return r.review(ctx, a) })
		r.asked[a] = ask
	}
	r.mutex.Unlock()
	return ask()
}

func (r *rights) review(ctx context.Context, a access) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{}
	if a.url != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: a.url, Verb: a.verb}
	} else {
		resource, subresource, _ := strings.Cut(a.resource, "/")
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Namespace: a.namespace, Verb: a.verb, Group: a.group, Resource: resource, Subresource: subresource, Name: a.name,
		}
	}
	answer, err := r.session.Kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, r.session.Explain("ask for permissions", err)
	}
	return answer.Status.Allowed, nil
}

func (r *rights) rulesIn(ctx context.Context, namespace string) (*authorizationv1.SubjectRulesReviewStatus, error) {
	r.mutex.Lock()
	ask, known := r.rules[namespace]
	if !known {
		ask = sync.OnceValues(func() (*authorizationv1.SubjectRulesReviewStatus, error) {
			review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
			answer, err := r.session.Kube.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return nil, r.session.Explain("ask for permissions in "+namespace, err)
			}
			return &answer.Status, nil
		})
		r.rules[namespace] = ask
	}
	r.mutex.Unlock()
	return ask()
}

// within reports whether a rule allows the access.
func (a access) within(rule authorizationv1.ResourceRule) bool {
	_, sub, _ := strings.Cut(a.resource, "/")
	return containsAny(rule.Verbs, a.verb, "*") && containsAny(rule.APIGroups, a.group, "*") &&
		(containsAny(rule.Resources, a.resource, "*") || sub != "" && slices.Contains(rule.Resources, "*/"+sub)) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.name))
}

// missing joins the verbs that are denied on the same thing for the same reason.
func (r *rights) missing() []rollout.Missing {
	type thing struct {
		access
		reason string
	}
	verbs := map[thing][]string{}
	for _, d := range r.denied {
		key := thing(d)
		key.verb = ""
		verbs[key] = append(verbs[key], d.verb)
	}
	var out []rollout.Missing
	for key, list := range verbs {
		slices.Sort(list)
		out = append(out, rollout.Missing{
			Verbs: list, Group: key.group, Resource: key.resource, Name: key.name, URL: key.url, Namespace: key.namespace, For: key.reason,
		})
	}
	return out
}

// rolesIn finds the Roles and ClusterRoles among what is written: bindings may
// refer to them before they exist.
func rolesIn(needs []rollout.Need) map[session.Identity]chart.Object {
	out := map[session.Identity]chart.Object{}
	for _, need := range needs {
		if need.Object == nil || need.Object.Group() != rbacGroup {
			continue
		}
		id := session.Identity{GroupResource: schema.GroupResource{Group: rbacGroup, Resource: need.Object.Kind}, Name: need.Object.Name}
		if need.Object.Kind == "Role" {
			id.Namespace = need.Namespace
		}
		out[id] = *need.Object
	}
	return out
}

func containsAny(words []string, wanted ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(wanted, w) })
}

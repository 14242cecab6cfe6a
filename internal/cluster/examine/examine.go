// Package examine reads the facts by which a doctor tells what is wrong. Everything
// is read once, nothing is written, and what the user may not read is said so. Outside
// of the namespaces that are looked at, nothing is asked for that a review of one's
// rights does not allow.
package examine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
)

// Limits of one look: requests at once, how long one may take, and how many objects
// of a kind are read in one place.
const (
	atOnce   = 16
	patience = 8 * time.Second
	most     = 5000
)

// errTooMany ends a list that has more objects than are read.
var errTooMany = fmt.Errorf("there are more than %d, and the rest was not looked at", most)

var errNoNamespace = errors.New("there is no namespace")

// Examiner reads facts.
type Examiner struct{ session *session.Session }

// Connect finds the cluster, as kubectl would.
func Connect(ctx context.Context, flags *genericclioptions.ConfigFlags) (*Examiner, error) {
	s, err := session.Connect(ctx, flags)
	if err != nil {
		return nil, err
	}
	return &Examiner{s}, nil
}

// Request is what is to be looked at.
type Request struct {
	// Namespaces are those to look at; none: those in which platforms are found.
	Namespaces []string
	// Records are namespaces of which nothing but the records of releases is looked at.
	Records []string
	// Fleet is what a fleet file wants; nil without one.
	Fleet *doctor.Fleet
	// Confined are the namespaces that the fleet keeps to; nil if to none.
	Confined []string
	// Known are the kinds that operators of version KnownVersion write.
	Known        []check.KnownKind
	KnownVersion string
}

// Look reads the facts. Only a cluster that does not accept the user at all, and a
// namespace that does not exist, are errors.
func (e *Examiner) Look(ctx context.Context, r Request) (*doctor.Snapshot, error) {
	if r.Confined != nil {
		e.session.Confine(r.Confined)
	}
	l := &look{Session: e.session, request: r, found: &doctor.Snapshot{
		Cluster: e.session.Describe(), Now: time.Now(), Namespaces: slices.Clone(r.Namespaces), Records: slices.Clone(r.Records), Fleet: r.Fleet,
		Known: r.Known, KnownVersion: r.KnownVersion, Logs: map[doctor.Place]string{},
	}}
	if len(r.Namespaces)+len(r.Records) == 0 {
		if err := l.findPlatforms(ctx); err != nil {
			return nil, err
		}
	}
	l.found.Namespaces = distinct(l.found.Namespaces)
	l.found.Records = slices.DeleteFunc(distinct(l.found.Records), func(name string) bool { return slices.Contains(l.found.Namespaces, name) })
	if err := l.all(ctx); err != nil {
		return nil, err
	}
	return l.found, l.closer(ctx)
}

func distinct(names []string) []string {
	slices.Sort(names)
	return append([]string{}, slices.Compact(names)...)
}

// look is one reading of a cluster.
type look struct {
	*session.Session
	request Request
	mutex   sync.Mutex
	found   *doctor.Snapshot
}

// all reads the facts of the cluster and of every namespace.
func (l *look) all(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, fact := range ofCluster {
		group.Go(func() error { return l.ofCluster(gctx, fact) })
	}
	group.Go(func() error { return l.read(gctx, doctor.Schemas, "", l.schemas) })
	for _, namespace := range l.found.Records {
		group.Go(func() error {
			return l.read(gctx, doctor.Releases, namespace, func(ctx context.Context) error { return l.releases(ctx, namespace) })
		})
	}
	for _, namespace := range l.found.Namespaces {
		for _, fact := range ofNamespace {
			group.Go(func() error {
				return l.read(gctx, fact.fact, namespace, func(ctx context.Context) error { return fact.read(l, ctx, namespace) })
			})
		}
	}
	return group.Wait()
}

// closer reads what the other facts lead to: certificates, and logs.
func (l *look) closer(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, key := range l.found.CertificateSecrets() {
		group.Go(func() error {
			return l.read(gctx, doctor.Certificates, key.Namespace, func(ctx context.Context) error { return l.certificate(ctx, key) })
		})
	}
	for _, pod := range l.found.UnreadyAgents() {
		group.Go(func() error {
			return l.read(gctx, doctor.Logs, pod.Namespace, func(ctx context.Context) error { return l.log(ctx, pod) })
		})
	}
	return group.Wait()
}

// read reads one fact, with a limit on how long it takes. What cannot be read is
// noted, with the reason.
func (l *look) read(ctx context.Context, fact doctor.Fact, namespace string, read func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := read(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errNoNamespace):
		return err
	case apierrors.IsUnauthorized(err):
		return l.Explain("look at the cluster", err)
	}
	l.unread(fact, namespace, l.reason(err))
	return nil
}

// notAllowed is why most is not known.
const notAllowed = "you may not list them"

func (l *look) reason(err error) string {
	switch {
	case apierrors.IsForbidden(err) && l.Confined() == nil:
		return notAllowed
	case apierrors.IsForbidden(err):
		return session.Forbidden(err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", patience)
	default:
		return err.Error()
	}
}

func (l *look) unread(fact doctor.Fact, namespace, reason string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.found.Unread = append(l.found.Unread, doctor.Unread{Fact: fact, Namespace: namespace, Reason: reason})
}

// ofCluster reads a fact of the cluster, if a review says that the user may.
func (l *look) ofCluster(ctx context.Context, f clusterFact) error {
	for _, r := range f.of {
		allowed, err := l.may(ctx, r)
		if err != nil {
			return err
		}
		if !allowed {
			l.unread(f.fact, "", notAllowed)
			return nil
		}
	}
	return l.read(ctx, f.fact, "", func(ctx context.Context) error { return f.read(l, ctx) })
}

// resource is what a review asks about; an empty namespace is all of them.
type resource struct{ group, name, namespace string }

func (r resource) String() string {
	if r.namespace == "" {
		return r.name + " of the cluster"
	}
	return r.name + " in namespace " + r.namespace
}

// may asks whether the user may list something.
func (l *look) may(ctx context.Context, r resource) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: r.group, Resource: r.name, Namespace: r.namespace},
	}}
	done, err := l.Kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, l.Explain("find out about one's rights", err)
	}
	return done.Status.Allowed, nil
}

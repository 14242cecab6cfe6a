package lifecycle

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
)

// Kind is all that the operator knows about one kind. What is nil, it has not.
type Kind struct {
	// Name of the controller, in logs and metrics.
	Name string
	// Recorder is the component that the kind's events name.
	Recorder string
	// Resource is the kind's name in rules of the group nvidia.com.
	Resource string
	// Finalizer is true for kinds that other operators of this API hold with
	// v1alpha1.Finalizer. It is taken off; we add none where all that an object
	// creates is owned by it, because garbage collection follows ownership.
	Finalizer bool
	// Object and List are empty ones of the kind.
	Object client.Object
	List   client.ObjectList

	// Rights are needed where the kind's objects live, besides those on the
	// kind itself, which follow from the other fields.
	Rights func(*config.OperatorConfiguration) []rbacv1.PolicyRule
	// Cached limits, by type, what is fetched of other kinds.
	Cached func(render.Capabilities) map[client.Object]cache.ByObject
	// Index adds keys by which cached objects of other kinds are found.
	Index func(context.Context, client.FieldIndexer) error
	// Owned are the types that wake up the object that controls them.
	Owned func(render.Capabilities) []client.Object
	// Watch adds what else wakes the kind's objects up.
	Watch func(*Operator, *builder.Builder)
	// Validate finds what is wrong with an object by itself, and what its author
	// should know; a wrong one is refused at admission, and before its first phase.
	Validate func(client.Object, *config.OperatorConfiguration) (errs field.ErrorList, warnings []string)
	// Admission is what else is asked when an object is written.
	Admission Admission
	// Begin starts one look at an object.
	Begin func(*Visit, client.Object) Life
	// State is an object's state and the reason for it, in a word each, by which
	// metrics count it.
	State func(client.Object) (state, reason string)
	// Farewell undoes, before a deleted object goes, what garbage collection does
	// not see. The object is held with v1alpha1.Finalizer until it succeeds, so an
	// error must not last for ever.
	Farewell func(context.Context, *Visit, client.Object) error
}

// ReadyOrNot is the state of a kind that has no words of its own for it, with the
// reason of the condition that says so.
func ReadyOrNot(conditions []metav1.Condition, condition string) (state, reason string) {
	switch c := meta.FindStatusCondition(conditions, condition); {
	case c == nil:
		return "not_ready", ""
	case c.Status == metav1.ConditionTrue:
		return "ready", c.Reason
	default:
		return "not_ready", c.Reason
	}
}

// Operator is what all kinds share.
type Operator struct {
	// Client reads from the caches and writes.
	Client client.Client
	// Live reads from the API server.
	Live    client.Reader
	Scope   scope.Scope
	Config  *config.OperatorConfiguration
	Cluster render.Capabilities
}

// Visit is one look at one object.
type Visit struct {
	*Operator
	Apply *apply.Applier

	again  time.Duration
	urgent bool
	// unfinished: the status will change by itself.
	unfinished bool
}

// LookAgain asks for another look after a while, for what nothing wakes up.
func (v *Visit) LookAgain(after time.Duration) { v.again = after }

// AfterRefusal is when to look again at what the API server refused: the policy or the
// Kubernetes that did may be another one by then, and nothing tells.
const AfterRefusal = 10 * time.Minute

// WriteNow has the status written at once, for what a further look would not
// find again.
func (v *Visit) WriteNow() { v.urgent = true }

// MoreSoon lets a change of the status that turns no condition wait for more, which
// comes by itself: what just starts has little to tell.
func (v *Visit) MoreSoon() { v.unfinished = true }

// Life is what happens to an object in one look at it. The phases write what
// they find into the object's status; writing that to the cluster is not their
// business.
type Life interface {
	// Phases bring the object on, in this order, until one fails.
	Phases() []Phase
	// Failed reports in the status why the object came no further. The reason
	// is "" for an error that is tried again.
	Failed(reason, message string)
	// Conditions are those of the status; nil for kinds without any.
	Conditions() []metav1.Condition
}

// Phase is one step in the life of an object. An error is tried again, but for
// a Refusal.
type Phase func(context.Context) error

// Refusal is an error that only a change can help, of the object or of what it
// waits for: it is reported and not tried again.
type Refusal struct{ Reason, Message string }

func (r *Refusal) Error() string { return r.Message }

// Refuse ends the look at an object.
func Refuse(reason, message string) error { return &Refusal{Reason: reason, Message: message} }

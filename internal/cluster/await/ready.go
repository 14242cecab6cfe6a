package await

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/readiness"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// askPodsEvery is how often the pods of a workload that is not ready are looked at.
const askPodsEvery = 5 * time.Second

// unservedIsUsual is how long discovery may lag without a word about it.
const unservedIsUsual = 2 * time.Second

// gatedKinds have a readiness worth waiting for.
var gatedKinds = []string{"CustomResourceDefinition", "DaemonSet", "Deployment", "Job", "StatefulSet"}

// Gated reports whether a kind has a readiness worth waiting for.
func Gated(kind string) bool { return slices.Contains(gatedKinds, kind) }

// AwaitReady blocks until everything behind the gate is ready. Errors name the
// blocking object, what it says and its last event. Optional objects are looked
// at when the rest is ready; the gate is told of those that are not.
func (w *Waiter) AwaitReady(ctx context.Context, gate rollout.Gate, report func(string)) error {
	group, gctx := errgroup.WithContext(ctx)
	var optional []chart.Object
	for _, object := range gate.Objects {
		rule, err := readiness.Of(object.Annotations)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", object, err)
		case rule == nil && !Gated(object.Kind):
		case readiness.Optional(object.Annotations):
			optional = append(optional, object)
		default:
			judge := judgeBy(rule)
			if gate.Runs {
				judge = running(judge)
			}
			group.Go(func() error { return w.awaitObject(gctx, object, judge, gate, report) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := w.awaitServed(ctx, gate, report); err != nil {
		return err
	}
	if gate.Marker != "" {
		if err := w.awaitMarker(ctx, gate, report); err != nil {
			return err
		}
	}
	if err := w.awaitWebhooks(ctx, gate, report); err != nil {
		return err
	}
	return w.glance(ctx, gate, optional)
}

// judgeBy judges by the chart's rule, if there is one, and else by the kind's.
func judgeBy(rule *readiness.Rule) judgement {
	if rule == nil {
		return judge
	}
	return func(u *unstructured.Unstructured) verdict {
		if u == nil || u.GetDeletionTimestamp() != nil {
			return judge(u)
		}
		ready, message := rule.Ready(u.Object)
		return verdict{ready: ready, message: message}
	}
}

// running takes what was scaled to 0 for what is not ready, whatever its kind says.
func running(judge judgement) judgement {
	return func(u *unstructured.Unstructured) verdict {
		out := judge(u)
		if !out.ready {
			return out
		}
		if replicas, says, err := unstructured.NestedInt64(u.Object, "spec", "replicas"); err == nil && says && replicas == 0 {
			return verdict{message: "it was scaled to 0"}
		}
		return out
	}
}

// glance tells the gate which optional objects are not ready.
func (w *Waiter) glance(ctx context.Context, gate rollout.Gate, optional []chart.Object) error {
	for _, object := range optional {
		at, err := w.located(object, gate)
		if err != nil {
			return err
		}
		rule, err := readiness.Of(object.Annotations)
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		live, err := w.session.Client(at).Get(ctx, object.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return w.session.Explain("read "+object.String(), err)
		}
		if err != nil {
			live = nil
		}
		if now := judgeBy(rule)(live); !now.ready && gate.Note != nil {
			gate.Note(fmt.Sprintf("optional %s %s is not ready: %s", object.Kind, at.ID, now.message))
		}
	}
	return nil
}

func (w *Waiter) awaitObject(ctx context.Context, object chart.Object, judge judgement, gate rollout.Gate, report func(string)) error {
	at, err := w.located(object, gate)
	if err != nil {
		return err
	}
	label := object.Kind + " " + at.ID.String()
	say := func(message string) { report(label + ": " + message) }
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := w.explainPods(waiting, at, say, giveUp)
	err = w.watches.await(waiting, selection{resource: at.Resource, labels: watched(object)}, at.ID.Namespace, at.ID.Name, gate.Patience, judge, say)
	stop()
	var blocked *notReady
	switch {
	case err == nil:
		return nil
	case errors.As(err, &blocked):
		if cause := w.blame(context.WithoutCancel(ctx), at); cause != "" {
			return fmt.Errorf("%s is not ready: %s; %s", label, cause, blocked.message)
		}
		return fmt.Errorf("%s is not ready: %s", label, blocked.message)
	default:
		return w.session.Explain("wait for "+label, err)
	}
}

// located finds where an object is waited for; its kind must be served.
func (w *Waiter) located(object chart.Object, gate rollout.Gate) (session.Located, error) {
	m, err := w.session.Mapping(object.APIVersion, object.Kind)
	if err != nil {
		return session.Located{}, err
	}
	return session.LocateBy(m, object, gate.Release), nil
}

// watched selects what an object is watched among: what releases own, or what
// we own without one.
func watched(object chart.Object) string {
	if object.Labels[marks.ManagedBy] == marks.ManagedByUs {
		return marks.ManagedBy + "=" + marks.ManagedByUs
	}
	return marks.ManagedBy + "=" + marks.ManagedByHelm
}

// explainPods says, while a workload is waited for, what its pods wait for:
// somebody who watches should not have to wait for the deadline to learn of a
// missing image or a crash.
// What cannot heal by waiting is given up when it is seen for the second time.
func (w *Waiter) explainPods(ctx context.Context, at session.Located, say func(string), giveUp context.CancelCauseFunc) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() {
		said, hopeless := "", false
		for {
			select {
			case <-time.After(askPodsEvery):
			case <-ctx.Done():
				return
			}
			_, reasons := w.podReasons(ctx, at)
			if before := hopeless; slices.ContainsFunc(reasons, permanent) {
				if hopeless = true; before {
					giveUp(&notReady{message: "waiting longer does not help"})
				}
			} else {
				hopeless = false
			}
			if now := strings.Join(reasons, "; "); now != "" && now != said && ctx.Err() == nil {
				said = now
				say(now)
			}
		}
	})
	return func() {
		cancel()
		asking.Wait()
	}
}

// judge applies the readiness rules that kubectl and Flux share: the observed
// generation, updated and available replicas, established CRDs.
func judge(u *unstructured.Unstructured) verdict {
	if u == nil {
		return verdict{message: "does not exist yet"}
	}
	if u.GetDeletionTimestamp() != nil {
		return verdict{message: "is being deleted"}
	}
	result, err := status.Compute(u)
	if err != nil {
		return verdict{failed: true, message: err.Error()}
	}
	return verdict{
		ready:   result.Status == status.CurrentStatus,
		failed:  result.Status == status.FailedStatus,
		message: result.Message,
	}
}

// awaitMarker waits for the operator's claim on its namespace to be held.
func (w *Waiter) awaitMarker(ctx context.Context, gate rollout.Gate, report func(string)) error {
	label := "Lease " + session.JoinName(gate.Marker, v1alpha1.NamespaceScopeLease)
	judge := judgeMarker(lease.NewObserver(lease.Awake), gate)
	err := w.watches.await(ctx, selection{resource: leases, fields: "metadata.name=" + v1alpha1.NamespaceScopeLease},
		gate.Marker, v1alpha1.NamespaceScopeLease, gate.Patience, judge, func(message string) { report(label + ": " + message) })
	var blocked *notReady
	if errors.As(err, &blocked) {
		return fmt.Errorf("%s is not held: %s; see the operator's log with `kubectl -n %s logs -l app.kubernetes.io/part-of=dynamo-operator`",
			label, blocked.message, gate.Release.Namespace)
	}
	return w.session.Explain("wait for "+label, err)
}

// judgeMarker asks for a claim that is alive: one that was made or renewed while
// we looked. The times in it are those of the operator's clock and prove nothing.
// Of a release that this run did not change, a claim is enough.
func judgeMarker(observer *lease.Observer, gate rollout.Gate) judgement {
	return func(u *unstructured.Unstructured) verdict {
		if u == nil {
			observer.Gone(types.NamespacedName{Namespace: gate.Marker, Name: v1alpha1.NamespaceScopeLease})
			return verdict{message: "does not exist yet"}
		}
		var marker coordinationv1.Lease
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &marker); err != nil {
			return verdict{failed: true, message: err.Error()}
		}
		switch {
		case lease.Duration(&marker) == 0:
			return verdict{message: "nobody holds it"}
		case !gate.Changed, observer.Renewed(&marker):
			return verdict{ready: true}
		default:
			return verdict{message: lease.Holder(&marker) + " has not renewed it yet"}
		}
	}
}

// awaitServed waits until CRDs that are Established are also in discovery, in
// each version that they serve, so that the next release finds their kinds.
func (w *Waiter) awaitServed(ctx context.Context, gate rollout.Gate, report func(string)) error {
	wanted, err := servedBy(gate.Objects)
	if err != nil {
		return err
	}
	for version, plurals := range wanted {
		told := false
		for began := time.Now(); ; {
			missing, err := w.unserved(version, plurals)
			if err != nil {
				return w.session.Explain("ask which kinds of "+version+" are served", err)
			}
			if len(missing) == 0 {
				break
			}
			message := fmt.Sprintf("the API server does not serve %s of %s", strings.Join(missing, ", "), version)
			switch waited := time.Since(began); {
			case waited > gate.Patience:
				return errors.New(message)
			case waited > unservedIsUsual && !told:
				told = true
				report(message + " yet")
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// servedBy lists, by group and version, the resources that CRDs define.
func servedBy(objects []chart.Object) (map[string][]string, error) {
	wanted := map[string][]string{}
	for _, object := range objects {
		if object.Kind != "CustomResourceDefinition" {
			continue
		}
		data, err := object.JSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := json.Unmarshal(data, &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		for _, version := range crd.Spec.Versions {
			if version.Served {
				gv := crd.Spec.Group + "/" + version.Name
				wanted[gv] = append(wanted[gv], crd.Spec.Names.Plural)
			}
		}
	}
	return wanted, nil
}

// unserved asks discovery itself, past the cache, which resources of a version
// are not there.
func (w *Waiter) unserved(version string, plurals []string) ([]string, error) {
	list, err := w.session.Kube.Discovery().ServerResourcesForGroupVersion(version)
	if apierrors.IsNotFound(err) {
		return plurals, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(plurals), func(plural string) bool {
		return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == plural })
	}), nil
}

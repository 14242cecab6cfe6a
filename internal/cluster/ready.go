package cluster

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

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check/readiness"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// MarkerLease is the Lease of a namespace-restricted operator.
const MarkerLease = "dynamo-operator-namespace-scope"

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// askPodsEvery is how often the pods of a workload that is not ready are looked at.
const askPodsEvery = 5 * time.Second

// unservedIsUsual is how long discovery may lag without a word about it.
const unservedIsUsual = 2 * time.Second

// gatedKinds have a readiness worth waiting for.
var gatedKinds = []string{"CustomResourceDefinition", "DaemonSet", "Deployment", "Job", "StatefulSet"}

// AwaitReady blocks until everything behind the gate is ready. Errors name the
// blocking object, what it says and its last event. Optional objects are looked
// at when the rest is ready; the gate is told of those that are not.
func (s *Session) AwaitReady(ctx context.Context, gate rollout.Gate, report func(string)) error {
	group, gctx := errgroup.WithContext(ctx)
	var optional []chart.Object
	for _, object := range gate.Objects {
		rule, err := readiness.Of(object.Annotations)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", object, err)
		case rule == nil && !slices.Contains(gatedKinds, object.Kind):
		case readiness.Optional(object.Annotations):
			optional = append(optional, object)
		default:
			group.Go(func() error { return s.awaitObject(gctx, object, judgeBy(rule), gate, report) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.awaitServed(ctx, gate, report); err != nil {
		return err
	}
	if gate.Marker != "" {
		if err := s.awaitMarker(ctx, gate, report); err != nil {
			return err
		}
	}
	if err := s.awaitWebhooks(ctx, gate, report); err != nil {
		return err
	}
	return s.glance(ctx, gate, optional)
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

// glance tells the gate which optional objects are not ready.
func (s *Session) glance(ctx context.Context, gate rollout.Gate, optional []chart.Object) error {
	for _, object := range optional {
		m, err := s.mapping(object.APIVersion, object.Kind)
		if err != nil {
			return err
		}
		rule, err := readiness.Of(object.Annotations)
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		id := identityOf(object, gate.Release, m)
		live, err := s.Dynamic.Resource(m.Resource).Namespace(id.namespace).Get(ctx, id.name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return s.explain("read "+object.String(), err)
		}
		if err != nil {
			live = nil
		}
		if now := judgeBy(rule)(live); !now.ready && gate.Note != nil {
			gate.Note(fmt.Sprintf("optional %s %s is not ready: %s", object.Kind, joinName(id.namespace, id.name), now.message))
		}
	}
	return nil
}

func (s *Session) awaitObject(ctx context.Context, object chart.Object, judge judgement, gate rollout.Gate, report func(string)) error {
	m, err := s.mapping(object.APIVersion, object.Kind)
	if err != nil {
		return err
	}
	id := identityOf(object, gate.Release, m)
	label := object.Kind + " " + joinName(id.namespace, id.name)
	say := func(message string) { report(label + ": " + message) }
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := s.explainPods(waiting, id, object.Kind, say, giveUp)
	err = s.watches.await(waiting, selection{resource: m.Resource, labels: watched(object)}, id.namespace, id.name, gate.Patience, judge, say)
	stop()
	var blocked *notReady
	switch {
	case err == nil:
		return nil
	case errors.As(err, &blocked):
		if cause := s.blame(context.WithoutCancel(ctx), id, object.Kind); cause != "" {
			return fmt.Errorf("%s is not ready: %s; %s", label, cause, blocked.message)
		}
		return fmt.Errorf("%s is not ready: %s", label, blocked.message)
	default:
		return s.explain("wait for "+label, err)
	}
}

// watched selects what an object is watched among: what releases own, or what
// we own without one.
func watched(object chart.Object) string {
	if object.Labels[ManagedByLabel] == ManagedByUs {
		return ManagedByLabel + "=" + ManagedByUs
	}
	return helmObjects
}

// explainPods says, while a workload is waited for, what its pods wait for:
// somebody who watches should not have to wait for the deadline to learn of a
// missing image or a crash.
// What cannot heal by waiting is given up when it is seen for the second time.
func (s *Session) explainPods(ctx context.Context, id identified, kind string, say func(string), giveUp context.CancelCauseFunc) (stop func()) {
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
			_, reasons := s.podReasons(ctx, id, kind)
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
func (s *Session) awaitMarker(ctx context.Context, gate rollout.Gate, report func(string)) error {
	label := "Lease " + joinName(gate.Marker, MarkerLease)
	judge := judgeMarker(lease.NewObserver(lease.Awake), gate)
	err := s.watches.await(ctx, selection{resource: leases, fields: "metadata.name=" + MarkerLease},
		gate.Marker, MarkerLease, gate.Patience, judge, func(message string) { report(label + ": " + message) })
	var blocked *notReady
	if errors.As(err, &blocked) {
		return fmt.Errorf("%s is not held: %s; see the operator's log with `kubectl -n %s logs -l app.kubernetes.io/part-of=dynamo-operator`",
			label, blocked.message, gate.Release.Namespace)
	}
	return s.explain("wait for "+label, err)
}

// judgeMarker asks for a claim that is alive: one that was made or renewed while
// we looked. The times in it are those of the operator's clock and prove nothing.
// Of a release that this run did not change, a claim is enough.
func judgeMarker(observer *lease.Observer, gate rollout.Gate) judgement {
	return func(u *unstructured.Unstructured) verdict {
		if u == nil {
			observer.Gone(types.NamespacedName{Namespace: gate.Marker, Name: MarkerLease})
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
func (s *Session) awaitServed(ctx context.Context, gate rollout.Gate, report func(string)) error {
	wanted, err := servedBy(gate.Objects)
	if err != nil {
		return err
	}
	for version, plurals := range wanted {
		told := false
		for began := time.Now(); ; {
			missing, err := s.unserved(version, plurals)
			if err != nil {
				return s.explain("ask which kinds of "+version+" are served", err)
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
func (s *Session) unserved(version string, plurals []string) ([]string, error) {
	list, err := s.Kube.Discovery().ServerResourcesForGroupVersion(version)
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

func joinName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

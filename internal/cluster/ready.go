package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// MarkerLease is the Lease of a namespace-restricted operator.
const MarkerLease = "dynamo-operator-namespace-scope"

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// askPodsEvery is how often the pods of a workload that is not ready are looked at.
const askPodsEvery = 5 * time.Second

// gatedKinds have a readiness worth waiting for.
var gatedKinds = []string{"CustomResourceDefinition", "DaemonSet", "Deployment", "Job", "StatefulSet"}

// AwaitReady blocks until everything behind the gate is ready. Errors name the
// blocking object, what it says and its last event.
func (s *Session) AwaitReady(ctx context.Context, gate rollout.Gate, report func(string)) error {
	group, gctx := errgroup.WithContext(ctx)
	for _, object := range gate.Objects {
		if slices.Contains(gatedKinds, object.Kind) {
			group.Go(func() error { return s.awaitObject(gctx, object, gate, report) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.awaitServed(ctx, gate.Objects); err != nil {
		return err
	}
	if gate.Marker {
		return s.awaitMarker(ctx, gate, report)
	}
	return nil
}

func (s *Session) awaitObject(ctx context.Context, object chart.Object, gate rollout.Gate, report func(string)) error {
	m, err := s.mapping(object.APIVersion, object.Kind)
	if err != nil {
		return err
	}
	id := identityOf(object, gate.Release, m)
	label := object.Kind + " " + joinName(id.namespace, id.name)
	say := func(message string) { report(label + ": " + message) }
	stop := s.explainPods(ctx, id, object.Kind, say)
	err = s.watches.await(ctx, selection{resource: m.Resource, labels: watched(object)}, id.namespace, id.name, gate.Patience, judge, say)
	stop()
	var blocked *notReady
	switch {
	case err == nil:
		return nil
	case errors.As(err, &blocked):
		return fmt.Errorf("%s is not ready: %s%s", label, blocked.message, s.blame(context.WithoutCancel(ctx), id, object.Kind))
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
func (s *Session) explainPods(ctx context.Context, id identified, kind string, say func(string)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() {
		said := ""
		for {
			select {
			case <-time.After(askPodsEvery):
			case <-ctx.Done():
				return
			}
			_, reasons := s.podReasons(ctx, id, kind)
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
func judge(u *unstructured.Unstructured) readiness {
	if u == nil {
		return readiness{message: "does not exist yet"}
	}
	if u.GetDeletionTimestamp() != nil {
		return readiness{message: "is being deleted"}
	}
	result, err := status.Compute(u)
	if err != nil {
		return readiness{failed: true, message: err.Error()}
	}
	return readiness{
		ready:   result.Status == status.CurrentStatus,
		failed:  result.Status == status.FailedStatus,
		message: result.Message,
	}
}

// awaitMarker waits for the operator's claim on its namespace to be held.
func (s *Session) awaitMarker(ctx context.Context, gate rollout.Gate, report func(string)) error {
	label := "Lease " + joinName(gate.Release.Namespace, MarkerLease)
	err := s.watches.await(ctx, selection{resource: leases, fields: "metadata.name=" + MarkerLease},
		gate.Release.Namespace, MarkerLease, gate.Patience, judgeMarker, func(message string) { report(label + ": " + message) })
	var blocked *notReady
	if errors.As(err, &blocked) {
		return fmt.Errorf("%s is not held: %s; see the operator's log with `kubectl -n %s logs -l app.kubernetes.io/part-of=dynamo-operator`",
			label, blocked.message, gate.Release.Namespace)
	}
	return s.explain("wait for "+label, err)
}

func judgeMarker(u *unstructured.Unstructured) readiness {
	if u == nil {
		return readiness{message: "does not exist yet"}
	}
	holder, _, _ := unstructured.NestedString(u.Object, "spec", "holderIdentity")
	if holder == "" {
		return readiness{message: "nobody holds it"}
	}
	renewed, _, _ := unstructured.NestedString(u.Object, "spec", "renewTime")
	seconds, _, _ := unstructured.NestedInt64(u.Object, "spec", "leaseDurationSeconds")
	at, err := time.Parse(time.RFC3339Nano, renewed)
	if err != nil || time.Since(at) > time.Duration(seconds)*time.Second {
		return readiness{message: holder + " has let it expire"}
	}
	return readiness{ready: true}
}

// awaitServed waits until CRDs that are Established are also in discovery, so
// that the next release finds their kinds.
func (s *Session) awaitServed(ctx context.Context, objects []chart.Object) error {
	wanted := map[string][]string{}
	for _, object := range objects {
		if object.Kind == "CustomResourceDefinition" {
			plural, group, _ := cut(object.Name)
			wanted[group] = append(wanted[group], plural)
		}
	}
	for group, plurals := range wanted {
		for {
			served, err := s.serves(ctx, group, plurals)
			if err != nil {
				return s.explain("ask which kinds of "+group+" are served", err)
			}
			if served {
				break
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

// serves asks discovery itself, past the cache, whether a group serves all of
// some resources at its preferred version.
func (s *Session) serves(ctx context.Context, name string, plurals []string) (bool, error) {
	var group metav1.APIGroup
	err := s.Kube.Discovery().RESTClient().Get().AbsPath("/apis", name).Do(ctx).Into(&group)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	list, err := s.Kube.Discovery().ServerResourcesForGroupVersion(group.PreferredVersion.GroupVersion)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	served := map[string]bool{}
	for _, r := range list.APIResources {
		served[r.Name] = true
	}
	return !slices.ContainsFunc(plurals, func(p string) bool { return !served[p] }), nil
}

func joinName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

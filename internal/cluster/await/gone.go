package await

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// finalizerOwners tells, by the start of a finalizer's name, who removes it.
var finalizerOwners = []struct{ prefix, owner string }{
	{"nvidia.com/", "the Dynamo operator"},
	{"grove.io/", "Grove's operator"},
	{"kai.scheduler/", "KAI's operator"},
	{"kubernetes.io/pvc-protection", "Kubernetes, once no pod uses the claim"},
	{"kubernetes.io/pv-protection", "Kubernetes, once no claim uses the volume"},
	{"orphan", "Kubernetes, once what the object owns is let go"},
	{"foregroundDeletion", "Kubernetes, once what the object owns is gone"},
	{"customresourcecleanup.apiextensions.k8s.io", "Kubernetes, once all objects of the kind are gone"},
	{"external-attacher/", "the storage driver"},
	{"service.kubernetes.io/load-balancer-cleanup", "the cloud's load balancer controller"},
}

// whoRemoves names the program that removes a finalizer.
func whoRemoves(finalizer string) string {
	for _, known := range finalizerOwners {
		if strings.HasPrefix(finalizer, known.prefix) {
			return known.owner
		}
	}
	if domain, _, found := strings.Cut(finalizer, "/"); found {
		return "the program of " + domain
	}
	return "the program that set it"
}

// judgeGone is ready when there is no object any more.
func judgeGone(u *unstructured.Unstructured) verdict {
	if u == nil {
		return verdict{ready: true}
	}
	message := "is being deleted"
	if held := HeldBy(u); held != "" {
		message += ", waits for " + held
	}
	return verdict{message: message}
}

// HeldBy names the finalizers of an object and who removes them.
func HeldBy(m metav1.Object) string {
	var held []string
	for _, finalizer := range m.GetFinalizers() {
		held = append(held, fmt.Sprintf("finalizer %s, which %s removes", finalizer, whoRemoves(finalizer)))
	}
	return strings.Join(held, ", and ")
}

// Gone blocks until an object does not exist any more. A deletion that makes no
// progress for the patience is a *StuckError.
func (w *Waiter) Gone(ctx context.Context, resource schema.GroupVersionResource, namespace, name string, patience time.Duration, report func(string)) error {
	err := w.watches.await(ctx, selection{resource: resource}, namespace, name, patience, judgeGone, report)
	var blocked *notReady
	if errors.As(err, &blocked) {
		return &StuckError{resource: resource.Resource, namespace: namespace, name: name, message: blocked.message}
	}
	return err
}

// StuckError is a deletion that makes no progress, with the way out for when the
// program that should finish it is gone for good.
type StuckError struct{ resource, namespace, name, message string }

func (e *StuckError) Error() string {
	where := ""
	if e.namespace != "" {
		where = "-n " + e.namespace + " "
	}
	return fmt.Sprintf("%s; if that program is gone for good, give its clean-up up with `kubectl %spatch %s %s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'`",
		e.message, where, e.resource, e.name)
}

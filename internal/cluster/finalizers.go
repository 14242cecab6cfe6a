package cluster

import (
	"context"
	"fmt"
	"strings"

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
	if held := heldBy(u); held != "" {
		message += ", waits for " + held
	}
	return verdict{message: message}
}

// heldBy names the finalizers of an object and who removes them.
func heldBy(m metav1.Object) string {
	var held []string
	for _, finalizer := range m.GetFinalizers() {
		held = append(held, fmt.Sprintf("finalizer %s, which %s removes", finalizer, whoRemoves(finalizer)))
	}
	return strings.Join(held, ", and ")
}

// holders lists the objects of a kind that are being deleted and cannot go, each
// with its finalizers; three at most, and how many more there are.
func (s *Session) holders(ctx context.Context, crd string) string {
	plural, group, _ := cut(crd)
	gvr, err := s.mapper.ResourceFor(schema.GroupVersionResource{Group: group, Resource: plural})
	if err != nil {
		return ""
	}
	var named []string
	more := 0
	err = s.eachMetadata(ctx, gvr, "", func(m *metav1.PartialObjectMetadata) {
		held := heldBy(m)
		switch {
		case held == "":
		case len(named) == 3:
			more++
		default:
			named = append(named, fmt.Sprintf("%s %s waits for %s", plural, joinName(m.Namespace, m.Name), held))
		}
	})
	if err != nil || len(named) == 0 {
		return ""
	}
	if more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(named, "; ")
}

// stuck explains a deletion that makes no progress, with the way out for when
// the program that should finish it is gone for good.
func stuck(what, resource, namespace, name string, blocked *notReady) error {
	where := ""
	if namespace != "" {
		where = "-n " + namespace + " "
	}
	return fmt.Errorf("%s %s; if that program is gone for good, give its clean-up up with `kubectl %spatch %s %s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'`",
		what, blocked.message, where, resource, name)
}

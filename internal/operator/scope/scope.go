// Package scope decides which namespaces an operator serves.
//
// A restricted operator claims its namespace with a marker Lease, renews it
// while it lives and deletes it when it stops. A cluster-wide operator leaves
// alone every namespace with a valid claim. Installations are not meant to
// overlap; the marker protects graphs from two masters where they do.
package scope

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

// MarkerName is the name of the Lease in a claimed namespace.
const MarkerName = v1alpha1.NamespaceScopeLease

// HandOver is how long after the deletion of a marker a cluster-wide operator
// waits before it takes the namespace: a restarted restricted operator needs
// that long to become the leader and to claim its namespace again.
const HandOver = 5 * time.Second

// Scope is what a controller asks before it acts.
type Scope interface {
	// Serves reports whether the namespace is this operator's to serve. If
	// not, the answer can change after retryAfter.
	Serves(ctx context.Context, namespace string) (serves bool, retryAfter time.Duration, err error)
}

// ClusterWide serves every namespace that has no valid claim. Whoever may write
// Leases in a namespace can claim it; that costs nobody but this namespace.
type ClusterWide struct {
	// Markers reads marker Leases, usually from a cache of just those.
	Markers client.Reader
	// Leases remembers them: a claim has expired when it was not renewed for
	// its duration by our own clock.
	Leases *lease.Observer
}

// Serves implements Scope.
func (s ClusterWide) Serves(ctx context.Context, namespace string) (bool, time.Duration, error) {
	var marker coordinationv1.Lease
	key := client.ObjectKey{Namespace: namespace, Name: MarkerName}
	err := s.Markers.Get(ctx, key, &marker)
	if apierrors.IsNotFound(err) {
		return true, 0, nil
	}
	if err != nil {
		return false, 0, fmt.Errorf("read the marker Lease of namespace %s: %w", namespace, err)
	}
	remaining := s.Leases.Remaining(&marker)
	return remaining == 0, remaining, nil
}

package scope

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/lease"
)

// markers has one Lease.
type markers struct {
	client.Reader
	lease coordinationv1.LeaseSpec
}

func (m *markers) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	m.lease.DeepCopyInto(&into.(*coordinationv1.Lease).Spec)
	return nil
}

// TestAClaimExpiresByOurClock: what the holder's clock shows does not matter,
// and no claim is respected for longer than lease.Longest without a renewal.
func TestAClaimExpiresByOurClock(t *testing.T) {
	at := func(offset time.Duration) *metav1.MicroTime { return &metav1.MicroTime{Time: time.Now().Add(offset)} }
	holder := ptr.To("somebody")
	for name, tc := range map[string]struct {
		lease coordinationv1.LeaseSpec
		want  time.Duration
	}{
		"right clock":         {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(0), LeaseDurationSeconds: ptr.To[int32](30)}, 30 * time.Second},
		"an hour slow":        {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(-time.Hour), LeaseDurationSeconds: ptr.To[int32](30)}, 30 * time.Second},
		"an hour fast":        {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(time.Hour), LeaseDurationSeconds: ptr.To[int32](30)}, 30 * time.Second},
		"for 68 years":        {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(0), LeaseDurationSeconds: ptr.To[int32](1<<31 - 1)}, lease.Longest},
		"without a duration":  {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(0)}, 0},
		"a negative duration": {coordinationv1.LeaseSpec{HolderIdentity: holder, RenewTime: at(0), LeaseDurationSeconds: ptr.To[int32](-1)}, 0},
		"without a holder":    {coordinationv1.LeaseSpec{RenewTime: at(0), LeaseDurationSeconds: ptr.To[int32](30)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var clock time.Duration
			found := &markers{lease: tc.lease}
			s := ClusterWide{Markers: found, Leases: lease.NewObserver(func() time.Duration { return clock })}
			check := func(want time.Duration) {
				t.Helper()
				serves, again, err := s.Serves(context.Background(), "team")
				if err != nil || serves != (want == 0) || again != want {
					t.Errorf("after %s: serves %v, again in %s, error %v; want again in %s", clock, serves, again, err, want)
				}
			}
			check(tc.want)
			clock = tc.want
			check(0)
			if tc.want > 0 {
				found.lease.RenewTime = at(time.Minute)
				check(tc.want)
			}
		})
	}
}

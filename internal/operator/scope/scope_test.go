package scope

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestExpiry(t *testing.T) {
	early, late := metav1.NewMicroTime(time.Unix(100, 0)), metav1.NewMicroTime(time.Unix(200, 0))
	for name, tc := range map[string]struct {
		lease coordinationv1.LeaseSpec
		want  time.Time
	}{
		"renewed":            {coordinationv1.LeaseSpec{AcquireTime: &early, RenewTime: &late, LeaseDurationSeconds: ptr.To[int32](30)}, time.Unix(230, 0)},
		"just acquired":      {coordinationv1.LeaseSpec{AcquireTime: &early, LeaseDurationSeconds: ptr.To[int32](30)}, time.Unix(130, 0)},
		"without a duration": {coordinationv1.LeaseSpec{RenewTime: &late}, time.Time{}},
		"empty":              {coordinationv1.LeaseSpec{}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Expiry(&coordinationv1.Lease{Spec: tc.lease}); !got.Equal(tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

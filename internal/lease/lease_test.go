package lease

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// held is a Lease of 30 seconds whose holder's clock is off by skew.
func held(renewals int, skew time.Duration) *coordinationv1.Lease {
	at := metav1.NewMicroTime(time.Unix(1_000_000, 0).Add(time.Duration(renewals)*5*time.Second + skew))
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lock", UID: "1"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("a"), RenewTime: &at, LeaseDurationSeconds: ptr.To[int32](30)},
	}
}

// observer has a clock that the test moves.
func observer() (*Observer, *time.Duration) {
	now := time.Hour
	return NewObserver(func() time.Duration { return now }), &now
}

func TestOnlyWhatIsSeenCounts(t *testing.T) {
	for _, skew := range []time.Duration{0, -time.Minute, time.Minute, -time.Hour, time.Hour, -100 * 365 * 24 * time.Hour} {
		o, now := observer()
		for renewal := range 20 {
			if got := o.Remaining(held(renewal, skew)); got != 30*time.Second {
				t.Fatalf("clock off by %s: at renewal %d %s remain", skew, renewal, got)
			}
			*now += 5 * time.Second
		}
		if got := o.Remaining(held(19, skew)); got != 25*time.Second {
			t.Errorf("clock off by %s: 5 s after the last renewal %s remain", skew, got)
		}
		*now += 25 * time.Second
		if got := o.Remaining(held(19, skew)); got != 0 {
			t.Errorf("clock off by %s: 30 s after the last renewal %s remain", skew, got)
		}
	}
}

func TestWhatCountsAsAChange(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*coordinationv1.Lease)
		want   time.Duration
	}{
		"nothing":           {func(*coordinationv1.Lease) {}, 10 * time.Second},
		"a renewal":         {func(l *coordinationv1.Lease) { l.Spec.RenewTime = ptr.To(metav1.NewMicroTime(time.Unix(1, 0))) }, 30 * time.Second},
		"another holder":    {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("b") }, 30 * time.Second},
		"made anew":         {func(l *coordinationv1.Lease) { l.UID = "2" }, 30 * time.Second},
		"a note of others":  {func(l *coordinationv1.Lease) { l.Annotations, l.ResourceVersion = map[string]string{"a": "b"}, "9" }, 10 * time.Second},
		"given back":        {func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("") }, 0},
		"no duration":       {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = nil }, 0},
		"negative duration": {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = ptr.To[int32](-1) }, 0},
		"endless duration":  {func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = ptr.To[int32](1<<31 - 1) }, Longest},
	} {
		t.Run(name, func(t *testing.T) {
			o, now := observer()
			o.Remaining(held(0, 0))
			*now += 20 * time.Second
			l := held(0, 0)
			tc.change(l)
			if got := o.Remaining(l); got != tc.want {
				t.Errorf("%s remain, want %s", got, tc.want)
			}
		})
	}
}

func TestAHolderProvesThatItLives(t *testing.T) {
	o, now := observer()
	if o.Renewed(held(0, time.Hour)) {
		t.Error("a Lease that was never seen to change counts as renewed")
	}
	*now += 10 * time.Second
	if !o.Renewed(held(1, time.Hour)) {
		t.Error("a renewal was not seen")
	}
	*now += 30 * time.Second
	if o.Renewed(held(1, time.Hour)) {
		t.Error("an expired Lease counts as renewed")
	}
	o, _ = observer()
	o.Gone(types.NamespacedName{Namespace: "ns", Name: "lock"})
	if !o.Renewed(held(0, time.Hour)) {
		t.Error("a Lease that was made before our eyes does not count")
	}
}

func TestClocksGoOn(t *testing.T) {
	for name, clock := range map[string]func() time.Duration{"awake": Awake, "elapsed": Elapsed} {
		before := clock()
		time.Sleep(5 * time.Millisecond)
		if passed := clock() - before; passed < 5*time.Millisecond || passed > time.Minute {
			t.Errorf("%s: %s passed", name, passed)
		}
	}
}

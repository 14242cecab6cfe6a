package rollout

import (
	"strings"
	"testing"
	"time"
)

func TestCertificatesThatEndSoonAreNamed(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, test := range []struct {
		name        string
		lived, left time.Duration
		want        string
	}{
		{"fresh", day, 364 * day, ""},
		{"at a third, when it is renewed", 244 * day, 121 * day, ""},
		{"late", 340 * day, 25 * day, "ends in 25 days, at 2026-02-25 00:00:00, and should have been renewed"},
		{"short-lived and renewed in time", 20 * day, 10 * day, ""},
		{"short-lived and late", 25 * day, 5 * day, "ends in 5 days"},
		{"over", 365 * day, -day, "expired at 2026-01-30 00:00:00"},
	} {
		got := Certificate{Configuration: "X/y", Begins: now.Add(-test.lived), Expires: now.Add(test.left)}.Warning(now)
		if got != "" && !strings.Contains(got, "X/y") || !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := (Certificate{Configuration: "X/y"}).Warning(now); got != "X/y trusts no certificate yet, so its webhooks cannot be called" {
		t.Error(got)
	}
	status := ReleaseStatus{Certificates: []Certificate{{Configuration: "b", Expires: now}, {Configuration: "a", Expires: now.Add(-day)}}}
	if got := status.Certificate(); got.Configuration != "a" {
		t.Errorf("%s ends first", got.Configuration)
	}
}

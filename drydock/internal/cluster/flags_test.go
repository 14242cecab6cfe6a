package cluster

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// A command that a message suggests finds the cluster that it is about.
func TestSuggestedFlagsFindTheCluster(t *testing.T) {
	t.Setenv("DRYDOCK_STATE", "/srv/usual")
	for _, tc := range []struct{ dir, name, want string }{
		{"/srv/usual", "default", ""},
		{"/srv/usual", "two", " --name two"},
		{"/srv/other", "default", " --state /srv/other"},
		{"/srv/other", "two", " --state /srv/other --name two"},
	} {
		if got := flags(state.Dir(tc.dir).Cluster(tc.name)); got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.dir, tc.name, got, tc.want)
		}
	}
}

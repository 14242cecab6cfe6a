package release

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
)

// pastOf is a release whose revisions have these statuses, oldest first, and
// manifests m1, m2 and so on.
func pastOf(statuses ...common.Status) past {
	var p past
	for i, status := range statuses {
		p = append(p, &helmrelease.Release{Version: i + 1, Manifest: "m" + string(rune('1'+i)), Info: &helmrelease.Info{Status: status}})
	}
	return p
}

func TestWhatEarlierRevisionsMayHaveLeft(t *testing.T) {
	const deployed, superseded, failed = common.StatusDeployed, common.StatusSuperseded, common.StatusFailed
	for name, tc := range map[string]struct {
		past   past
		strays string
		rivals int
	}{
		"as it should be":      {pastOf(superseded, superseded, deployed), "", 0},
		"a failed attempt":     {pastOf(superseded, deployed, failed), "m3 m2", 0},
		"two clients wrote":    {pastOf(superseded, deployed, deployed), "m3 m2", 1},
		"one between them":     {pastOf(deployed, superseded, deployed), "m3 m2 m1", 1},
		"three, and a failure": {pastOf(deployed, deployed, deployed, failed), "m4 m3 m2 m1", 2},
		"nothing":              {nil, "", 0},
	} {
		if got := strings.ReplaceAll(tc.past.strays(), "\n---\n", " "); got != tc.strays {
			t.Errorf("%s: strays %q, want %q", name, got, tc.strays)
		}
		if got := len(tc.past.rivals()); got != tc.rivals {
			t.Errorf("%s: %d rivals, want %d", name, got, tc.rivals)
		}
	}
}

package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// past is a release's revisions, oldest first; none if it does not exist.
type past []*helmrelease.Release

func readPast(op *operation, key fleet.Key) (past, error) {
	found, err := op.Releases.History(key.Name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		// Helm, which is about to ask the same, need not.
		op.records.fresh = true
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read release %s: %w", key, err)
	}
	p := make(past, 0, len(found))
	for _, one := range found {
		rel, ok := one.(*helmrelease.Release)
		if !ok {
			return nil, fmt.Errorf("read release %s: unexpected record %T", key, one)
		}
		p = append(p, rel)
	}
	slices.SortFunc(p, func(a, b *helmrelease.Release) int { return a.Version - b.Version })
	return p, nil
}

// last is the newest revision; nil if there is none.
func (p past) last() *helmrelease.Release {
	if len(p) == 0 {
		return nil
	}
	return p[len(p)-1]
}

// strays are the manifests of all attempts since the last complete revision,
// if there is more than one: each may have written objects that no other has,
// and Helm compares with one revision only. Where several revisions say that they
// are deployed, each may be what is there.
func (p past) strays() string {
	attempts := p.attempts()
	if len(attempts) < 2 {
		return ""
	}
	out := make([]string, 0, len(attempts))
	for _, rel := range attempts {
		out = append(out, rel.Manifest)
	}
	return strings.Join(out, "\n---\n")
}

// attempts are the newest revision and those before it, back to the last complete
// one, and to the oldest that says that it is deployed.
func (p past) attempts() past {
	var out past
	oldest := slices.IndexFunc(p, isDeployed)
	for i, rel := range slices.Backward(p) {
		out = append(out, rel)
		if complete(rel.Info.Status) && (oldest < 0 || i <= oldest) {
			break
		}
	}
	return out
}

// rivals are the revisions that say that they are deployed, although a newer one
// says so, too: two clients have written at the same time.
func (p past) rivals() past {
	var deployed past
	for _, rel := range p {
		if isDeployed(rel) {
			deployed = append(deployed, rel)
		}
	}
	return deployed[:max(len(deployed)-1, 0)]
}

func isDeployed(rel *helmrelease.Release) bool { return rel.Info.Status == common.StatusDeployed }

// complete tells revisions of which everything was written.
func complete(status common.Status) bool {
	return status == common.StatusDeployed || status == common.StatusSuperseded
}

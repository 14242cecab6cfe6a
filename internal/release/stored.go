package release

import (
	"context"
	"errors"
	"fmt"

	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Stored reads one revision of a release, the newest for 0; nil if there is
// none.
func (s *Store) Stored(ctx context.Context, key fleet.Key, revision int) (*rollout.Stored, error) {
	op, err := s.operation(ctx, key, false)
	if err != nil {
		return nil, err
	}
	read := func() (any, error) { return op.Releases.Last(key.Name) }
	if revision > 0 {
		read = func() (any, error) { return op.Releases.Get(key.Name, revision) }
	}
	found, err := read()
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read release %s: %w", key, err)
	}
	rel, ok := found.(*helmrelease.Release)
	if !ok {
		return nil, fmt.Errorf("read release %s: unexpected record %T", key, found)
	}
	// First of all: what was altered may be anything.
	verdict, err := op.records.verdict(rel)
	if err != nil {
		return nil, err
	}
	recorded, err := served(rel.Manifest, s.session.VersionOf)
	if err != nil {
		return nil, fmt.Errorf("read release %s: %w", key, err)
	}
	out := &rollout.Stored{
		Objects: recorded.objects, Vanished: recorded.vanished, Values: rel.Config, Manifest: digestOf(rel),
		Verdict: verdict, Reach: rollout.ReachOf(s.Set, key),
	}
	again := *rel
	again.Manifest = recorded.rewrite(rel.Manifest)
	out.Again = digestOf(&again)
	if verdict != rollout.Written {
		if out.Beyond, err = op.client.beyond(op, recorded.objects); err != nil {
			return nil, err
		}
	}
	if rel.Chart != nil && rel.Chart.Metadata != nil {
		out.Chart, out.Version, out.Defaults = rel.Chart.Metadata.Name, rel.Chart.Metadata.Version, rel.Chart.Values
		out.Parts = chart.RecordedParts(rel.Chart)
	}
	return out, nil
}

package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Uninstall removes a release and its history. A release that does not exist
// is no error, nor is one that is half gone.
func (s *Store) Uninstall(ctx context.Context, key fleet.Key) (left []string, err error) {
	op, err := s.operation(ctx, key, false)
	if err != nil {
		return nil, err
	}
	p, err := readPast(op, key)
	if err != nil {
		return nil, err
	}
	err = uninstall(op, key, p)
	return op.client.leftAlone(), err
}

// uninstall deletes what any revision may have left, and the records last: as
// long as something is left, so is the record that leads to it. Helm's own
// uninstall forgets objects that it could not ask about, and those of attempts
// that never became the newest revision.
func uninstall(op *operation, key fleet.Key, p past) error {
	last := p.last()
	if last == nil {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("uninstall release %s: %w", key, err) }
	if last.Info.Status != common.StatusUninstalled {
		if err := op.client.trust(op, p); err != nil {
			return fail(err)
		}
		if err := leave(op, last); err != nil {
			return fail(err)
		}
		if err := op.client.removeAll(p); err != nil {
			return fail(err)
		}
	}
	// Oldest first, so that the one which says "uninstalling" goes last.
	for _, rel := range p {
		if _, err := op.Releases.Delete(rel.Name, rel.Version); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
			return fail(err)
		}
	}
	return nil
}

// leave marks a release as being uninstalled. Where a chart has hooks for that,
// Helm runs them, unless somebody else wrote the record: its hooks could be
// anything.
func leave(op *operation, last *helmrelease.Release) error {
	verdict, err := op.records.verdict(last)
	if err != nil {
		return err
	}
	if hooks := slices.ContainsFunc(last.Hooks, runsOnDelete); hooks && verdict != rollout.Written {
		op.client.leave("the hooks of its deletion were not run, because wheelhouse did not write the record that holds them")
	} else if hooks {
		op.records.writtenOnly = true
		act := action.NewUninstall(op.Configuration)
		act.KeepHistory = true
		act.WaitStrategy = kube.HookOnlyStrategy
		act.Timeout = hookTimeout
		act.DeletionPropagation = "background"
		_, err := act.Run(last.Name)
		return err
	}
	if last.Info.Status == common.StatusUninstalling {
		return nil
	}
	last.Info.Deleted = time.Now()
	last.SetStatus(common.StatusUninstalling, "Deletion in progress (or silently failed)")
	return op.Releases.Update(last)
}

func runsOnDelete(h *helmrelease.Hook) bool {
	return slices.Contains(h.Events, helmrelease.HookPreDelete) || slices.Contains(h.Events, helmrelease.HookPostDelete)
}

// removeAll deletes the objects of a release in the reverse order of their
// creation, but for those with a keep policy.
func (c *client) removeAll(p past) error {
	manifest := p.strays()
	if manifest == "" {
		manifest = p.last().Manifest
	}
	objects, err := c.existing(manifest)
	if err != nil {
		return err
	}
	tiers := byTier(objects)
	for t := lastTier; t >= 0; t-- {
		var group errgroup.Group
		group.SetLimit(parallelObjects)
		for _, object := range tiers[t] {
			group.Go(func() error {
				_, err := c.remove(object)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// existing builds the objects of manifests that could exist and may be deleted,
// each once. Of a kind that the cluster does not serve there are none.
func (c *client) existing(manifest string) (kube.ResourceList, error) {
	recorded, err := served(manifest, c.session.VersionOf)
	if err != nil {
		return nil, err
	}
	var once []chart.Object
	seen := map[string]bool{}
	for _, object := range recorded.objects {
		id := object.Group() + " " + object.String()
		if !seen[id] && !object.Kept() {
			once = append(once, object)
		}
		seen[id] = true
	}
	return c.Build(strings.NewReader(joined(once)), false)
}

package release

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// labelsFor describes a revision. Helm stores them on the Secret of each
// revision, so that one metadata-only list tells what has changed. The revision is part of it because Helm
// copies labels from one revision to the next: where it does not match, the
// other labels are hearsay.
func labelsFor(target rollout.Target, revision int) map[string]string {
	return map[string]string{
		marks.RecordFleet:    target.FleetName,
		marks.RecordChart:    strings.ReplaceAll(target.Source.String(), "+", "_"),
		marks.RecordCharts:   target.Digest.Chart,
		marks.RecordValues:   target.Digest.Values,
		marks.RecordRevision: strconv.Itoa(revision),
	}
}

var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// pageSize keeps one answer of the API server small.
const pageSize = 2000

// Inventory lists the newest revision of every release in the cluster or, for a
// user who may not list that, in the store's namespaces.
func (s *Store) Inventory(ctx context.Context) (map[fleet.Key]rollout.Record, error) {
	out := map[fleet.Key]rollout.Record{}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.learn(gctx, true) })
	group.Go(func() error {
		err := s.inventory(gctx, "", out)
		if !apierrors.IsForbidden(err) || len(s.Namespaces) == 0 {
			return err
		}
		for _, namespace := range s.Namespaces {
			if err := s.inventory(gctx, namespace, out); err != nil {
				return err
			}
		}
		return nil
	})
	err := group.Wait()
	for key, record := range out {
		record.Known, record.Manifest, record.Outline = s.manifests.Knows(key), s.manifests.Digest(key, record.Revision), s.manifests.Outline(key, record.Revision)
		out[key] = record
	}
	return out, err
}

func (s *Store) inventory(ctx context.Context, namespace string, out map[fleet.Key]rollout.Record) error {
	options := metav1.ListOptions{LabelSelector: "owner=helm", Limit: pageSize}
	deployed := map[fleet.Key][]int{}
	err := session.EachPage(ctx, options, s.session.Metadata.Resource(secrets).Namespace(namespace).List, func(page *metav1.PartialObjectMetadataList) error {
		for i := range page.Items {
			record := recordOfSecret(&page.Items[i])
			if record.Name != "" && record.Revision > out[record.Key].Revision {
				out[record.Key] = record
			}
			if record.Status == rollout.HelmDeployed {
				deployed[record.Key] = append(deployed[record.Key], record.Revision)
			}
		}
		return nil
	})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("cannot list Helm releases: %w; ask for list on secrets", err)
	}
	if err != nil {
		return fmt.Errorf("list Helm releases: %w", err)
	}
	addRivals(out, deployed)
	return nil
}

// addRivals notes the newest revision, if any, that says it is deployed beside one
// that is newer.
func addRivals(out map[fleet.Key]rollout.Record, deployed map[fleet.Key][]int) {
	for key, revisions := range deployed {
		if len(revisions) < 2 {
			continue
		}
		slices.Sort(revisions)
		record := out[key]
		record.Rival = revisions[len(revisions)-2]
		out[key] = record
	}
}

func recordOfSecret(m *metav1.PartialObjectMetadata) rollout.Record {
	labels := m.Labels
	return recordFrom(m.Namespace, labels["name"], atoi(labels["version"]), labels["status"], labels, updated(m))
}

// updated prefers Helm's own stamp to the age of the Secret.
func updated(m *metav1.PartialObjectMetadata) time.Time {
	for _, field := range m.ManagedFields {
		if field.Time != nil && field.Time.After(m.CreationTimestamp.Time) {
			return field.Time.Time
		}
	}
	return m.CreationTimestamp.Time
}

func recordFrom(namespace, name string, revision int, status string, labels map[string]string, at time.Time) rollout.Record {
	record := rollout.Record{
		Key: fleet.Key{Namespace: namespace, Name: name}, Revision: revision, Status: rollout.HelmStatus(status),
		Fleet: labels[marks.RecordFleet], Ours: labels[marks.RecordRevision] != "", Updated: at,
	}
	if labels[marks.RecordRevision] == strconv.Itoa(revision) {
		record.Chart = labels[marks.RecordChart]
		record.Digest = rollout.Digest{Chart: labels[marks.RecordCharts], Values: labels[marks.RecordValues]}
	}
	return record
}

package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// A release's records lie in its namespace, where a tenant may write them. What
// they say is compared with the journal whenever they are read.

// learn asks the journal what we wrote. A user who may not read it knows nothing.
func (s *Store) learn(ctx context.Context, again bool) error {
	if s.Journal == nil || s.learned.Load() && !again {
		return nil
	}
	revisions, err := s.Journal.Revisions(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	s.manifests.Learn(revisions)
	s.learned.Store(true)
	return nil
}

// digestOf identifies what a revision would restore, delete and run.
func digestOf(rel *helmrelease.Release) string {
	hooks := make([]string, 0, len(rel.Hooks))
	for _, h := range rel.Hooks {
		// A hook's text and when it runs; not when it last did.
		when, err := json.Marshal([]any{h.Events, h.Weight, h.DeletePolicies})
		if err != nil {
			when = []byte(err.Error())
		}
		hooks = append(hooks, string(when)+h.Manifest)
	}
	return rollout.ManifestDigest(rel.Manifest, hooks...)
}

func recordName(key fleet.Key, revision int) string {
	return (&rollout.AlteredError{Key: key, Revision: revision}).Secret()
}

// verdict compares a record with what we wrote.
func (r *records) verdict(rel *helmrelease.Release) (rollout.Verdict, error) {
	if rel.Name != r.key.Name || rel.Namespace != r.key.Namespace || rel.Info == nil {
		return rollout.Altered, r.notItself(rel)
	}
	verdict := r.manifests.Judge(r.key, rel.Version, digestOf(rel))
	if verdict == rollout.Altered || r.writtenOnly && verdict != rollout.Written {
		return verdict, &rollout.AlteredError{Key: r.key, Revision: rel.Version}
	}
	return verdict, nil
}

// notItself is about a record that says that it is another.
func (r *records) notItself(rel *helmrelease.Release) error {
	return fmt.Errorf("a record of release %s says that it is release %s/%s, revision %d: somebody has forged it; find it with `kubectl -n %s get secrets -l owner=helm,name=%s` and delete it",
		r.key, rel.Namespace, rel.Name, rel.Version, r.key.Namespace, r.key.Name)
}

// judge looks at the revisions by which Helm would delete or restore: the newest,
// back to the last complete one, and all that are deployed. What else is kept
// is history.
func (r *records) judge(found []release.Releaser) error {
	var revisions past
	for _, one := range found {
		rel, err := asRelease(one, nil)
		if err != nil {
			return err
		}
		if rel.Name != r.key.Name || rel.Namespace != r.key.Namespace || rel.Info == nil {
			return r.notItself(rel)
		}
		revisions = append(revisions, rel)
	}
	slices.SortFunc(revisions, func(a, b *helmrelease.Release) int { return a.Version - b.Version })
	used := revisions.attempts()
	for _, rel := range revisions {
		if rel.Info.Status == common.StatusDeployed && !slices.Contains(used, rel) {
			used = append(used, rel)
		}
	}
	for _, rel := range used {
		if _, err := r.verdict(rel); err != nil {
			return err
		}
	}
	return nil
}

// objectID names an object within a cluster.
type objectID struct{ group, kind, namespace, name string }

func idOf(object *resource.Info) objectID {
	gvk := object.Mapping.GroupVersionKind
	return objectID{gvk.Group, gvk.Kind, object.Namespace, object.Name}
}

// trust lets what our own records name be deleted wherever it is. If all of them
// are ours, nothing is out of reach.
func (c *client) trust(op *operation, p past) error {
	var ours []string
	attempts := p.attempts()
	for _, rel := range attempts {
		verdict, err := op.records.verdict(rel)
		if err != nil {
			return err
		}
		if verdict == rollout.Written {
			ours = append(ours, rel.Manifest)
		}
	}
	if len(ours) == len(attempts) {
		c.reach = rollout.Reach{}
		return nil
	}
	objects, err := chart.ParseManifest(strings.Join(ours, "\n---\n"))
	if err != nil {
		return err
	}
	c.reach = c.reach.With(objects)
	infos, err := c.existing(strings.Join(ours, "\n---\n"))
	if err != nil {
		return err
	}
	c.trusted = map[objectID]bool{}
	for _, object := range infos {
		c.trusted[idOf(object)] = true
	}
	return nil
}

// notOurs says why an object is not this release's to delete; empty if it is.
func (c *client) notOurs(object *resource.Info, live metav1.Object) string {
	if !marks.HasRelease(live, c.release) {
		return "it does not carry the marks of release " + c.release.String() + " any more, or never did"
	}
	if c.trusted[idOf(object)] {
		return ""
	}
	gvk := object.Mapping.GroupVersionKind
	return c.reach.Beyond(gvk.Group, gvk.Kind, object.Namespace)
}

func (c *client) leave(what string) {
	c.leftMutex.Lock()
	defer c.leftMutex.Unlock()
	c.left = append(c.left, what)
}

// leftAlone lists what should have been deleted and was not.
func (c *client) leftAlone() []string {
	c.leftMutex.Lock()
	defer c.leftMutex.Unlock()
	return slices.Sorted(slices.Values(c.left))
}

// beyond lists what a record that we did not write holds and may not restore. A
// kind of the cluster is within reach if the newest record of ours has it.
func (c *client) beyond(op *operation, objects []chart.Object) ([]string, error) {
	reach := c.reach
	p, err := readPast(op, c.release)
	if err != nil {
		return nil, err
	}
	if last := p.last(); last != nil {
		if verdict, err := op.records.verdict(last); err == nil && verdict == rollout.Written {
			known, err := chart.ParseManifest(last.Manifest)
			if err != nil {
				return nil, err
			}
			reach = reach.With(known)
		}
	}
	var out []string
	for _, o := range objects {
		namespace, err := c.session.NamespaceOf(o, c.release)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if why := reach.Beyond(o.Group(), o.Kind, namespace); why != "" {
			out = append(out, o.String()+": "+why)
		}
	}
	return out, nil
}

// mayReturn makes sure, once more and right before it is done, that a release may
// go back to a revision. The hooks of a record that we did not write are not run.
func (s *Store) mayReturn(ctx context.Context, key fleet.Key, revision int) (hooks bool, err error) {
	stored, err := s.Stored(ctx, key, revision)
	if err != nil {
		return false, err
	}
	if stored == nil {
		return false, fmt.Errorf("release %s: Helm no longer keeps revision %d", key, revision)
	}
	if len(stored.Vanished) > 0 {
		return false, fmt.Errorf("release %s: the cluster does not serve every kind of revision %d any more (%s %s, for one)",
			key, revision, stored.Vanished[0].APIVersion, stored.Vanished[0])
	}
	if len(stored.Beyond) > 0 {
		return false, fmt.Errorf("release %s: wheelhouse did not write revision %d, and it holds what such a record may not restore: %s",
			key, revision, strings.Join(stored.Beyond, ", "))
	}
	return stored.Verdict == rollout.Written, nil
}

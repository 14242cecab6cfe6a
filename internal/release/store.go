// Package release installs, reads and removes Helm releases, by the SDK. It keeps releases
// ordinary: `helm list`, `history`, `rollback` and `uninstall` work on them.
package release

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Store reads and writes Helm releases over one cluster session. It is safe
// for concurrent use on different releases.
type Store struct {
	session *session.Session
	cluster Cluster
	// Fields says what to do about fields that others own.
	Fields rollout.Fields
	// Namespaces are looked through one by one for releases, if the cluster as a
	// whole may not be.
	Namespaces []string
	// History is how many revisions of a release are kept.
	History int
	// Set is what the fleet names; it tells which release lives where.
	Set *fleet.Set
	// Journal is asked what we wrote; nil: nothing is known.
	Journal Journal

	log       slog.Handler
	manifests rollout.Manifests
	learned   atomic.Bool
}

// Cluster is what a store asks of the cluster beside its connection.
type Cluster interface {
	// AwaitJob and AwaitPod wait until a hook has ended well.
	AwaitJob(ctx context.Context, namespace, name string, waiting rollout.Waiting) error
	AwaitPod(ctx context.Context, namespace, name string, waiting rollout.Waiting) error
	// TrustDefinition has a new CRD trust who converts its objects.
	TrustDefinition(ctx context.Context, crd *unstructured.Unstructured) error
	// MakeWay deletes an object in whose place another is made, lets its claims grow
	// before, and waits until it is gone.
	MakeWay(ctx context.Context, resource schema.GroupVersionResource, namespace, name string, r *rollout.Replacement, waiting rollout.Waiting) error
	// Fresh reports, once, that this run has made a namespace: nothing that could
	// be in the way is in it yet.
	Fresh(namespace string) bool
}

// Journal is where it stands what we wrote.
type Journal interface {
	Revisions(ctx context.Context) ([]rollout.Revision, error)
}

// NewStore opens the store. The handler receives what the Helm SDK logs.
func NewStore(s *session.Session, cluster Cluster, log slog.Handler) *Store {
	// A package variable of the SDK: with the default, the name of this
	// binary, the helm command would conflict with us.
	kube.ManagedFieldsManager = marks.FieldManager
	return &Store{session: s, cluster: cluster, log: log, History: fleet.DefaultHistory}
}

// Apply installs or upgrades a release. A revision that an earlier client left
// pending is marked failed first, one that was being uninstalled is removed.
func (s *Store) Apply(ctx context.Context, target rollout.Target, last rollout.Record) (rollout.Record, error) {
	op, err := s.operation(ctx, target.Key, target.Migrate)
	if err != nil {
		return last, err
	}
	if s.cluster.Fresh(target.Namespace) {
		expectNothing(op)
	}
	op.client.reach = rollout.ReachOf(s.Set, target.Key).With(target.Rendered.Objects)
	op.client.replaces = target.Replaces
	install, err := makeWay(op, target.Key)
	if err != nil {
		return last, fmt.Errorf("repair release %s: %w", target.Key, err)
	}
	labels := labelsFor(target, last.Revision+1)
	var done *helmrelease.Release
	if install {
		done, err = s.install(ctx, op, target, labels)
	} else {
		done, err = s.upgrade(ctx, op, target, labels)
	}
	if err == nil {
		err = op.records.failed
	}
	if err != nil {
		return last, err
	}
	return recordOf(op, done), nil
}

// makeWay clears the record for the next operation and tells whether that is an
// install.
func makeWay(op *operation, key fleet.Key) (install bool, err error) {
	p, err := readPast(op, key)
	if err != nil {
		return false, err
	}
	last, strays := p.last(), p.strays()
	if err := op.client.trust(op, p); err != nil {
		return false, err
	}
	switch {
	case last == nil:
		return true, nil
	case last.Info.Status == common.StatusUninstalling, last.Info.Status == common.StatusUninstalled:
		return true, uninstall(op, key, p)
	case last.Info.Status.IsPending():
		last.SetStatus(common.StatusFailed, fmt.Sprintf("Left %s by an interrupted client, marked failed by wheelhouse", last.Info.Status))
		err = op.Releases.Update(last)
	}
	for _, rel := range p.rivals() {
		if err == nil {
			rel.SetStatus(common.StatusSuperseded, "Said deployed beside a newer revision, marked superseded by wheelhouse")
			err = op.Releases.Update(rel)
		}
	}
	op.client.strays = strays
	return false, err
}

func (s *Store) install(ctx context.Context, op *operation, target rollout.Target, labels map[string]string) (*helmrelease.Release, error) {
	labels[marks.RecordRevision] = "1"
	act := action.NewInstall(op.Configuration)
	act.ReleaseName, act.Namespace = target.Name, target.Namespace
	act.ServerSideApply, act.ForceConflicts = true, s.Fields.Force
	// CRDs have a release of their own; Helm would overwrite newer ones.
	act.SkipCRDs = true
	// The API server validates every server-side apply strictly.
	act.DisableOpenAPIValidation = true
	// The manager has validated them, with better messages.
	act.SkipSchemaValidation = true
	act.TakeOwnership = len(target.Adopts) > 0
	act.WaitStrategy = kube.HookOnlyStrategy
	act.Timeout = hookTimeout
	act.Labels = labels
	done, err := act.RunWithContext(context.WithoutCancel(ctx), chartFor(op, target), target.Overrides.PlainMap())
	return asRelease(done, err)
}

func (s *Store) upgrade(ctx context.Context, op *operation, target rollout.Target, labels map[string]string) (*helmrelease.Release, error) {
	act := action.NewUpgrade(op.Configuration)
	act.Namespace = target.Namespace
	act.ServerSideApply, act.ForceConflicts = "true", s.Fields.Force
	act.SkipCRDs = true
	act.DisableOpenAPIValidation = true
	act.SkipSchemaValidation = true
	act.WaitStrategy = kube.HookOnlyStrategy
	act.Timeout = hookTimeout
	act.TakeOwnership = len(target.Adopts) > 0
	act.MaxHistory = s.History
	act.ResetValues = true
	act.Labels = labels
	done, err := act.RunWithContext(context.WithoutCancel(ctx), target.Name, chartFor(op, target), target.Overrides.PlainMap())
	return asRelease(done, err)
}

func asRelease(done any, err error) (*helmrelease.Release, error) {
	if err != nil {
		return nil, err
	}
	rel, ok := done.(*helmrelease.Release)
	if !ok {
		return nil, fmt.Errorf("unexpected result %T of a Helm operation", done)
	}
	return rel, nil
}

// Rollback returns a release to one of its revisions. The new revision is
// labelled as ours, so that a later run can tell what it was made from.
func (s *Store) Rollback(ctx context.Context, key fleet.Key, revision int) (rollout.Record, error) {
	op, err := s.operation(ctx, key, false)
	if err != nil {
		return rollout.Record{}, err
	}
	hooks, err := s.mayReturn(ctx, key, revision)
	if err != nil {
		return rollout.Record{}, err
	}
	if _, err := makeWay(op, key); err != nil {
		return rollout.Record{}, fmt.Errorf("repair release %s: %w", key, err)
	}
	act := action.NewRollback(op.Configuration)
	act.DisableHooks = !hooks
	act.Version = revision
	act.ServerSideApply, act.ForceConflicts = "true", s.Fields.Force
	act.WaitStrategy = kube.HookOnlyStrategy
	act.Timeout = hookTimeout
	act.MaxHistory = s.History
	err = act.Run(key.Name)
	if err == nil {
		err = op.records.failed
	}
	if err != nil {
		return rollout.Record{}, err
	}
	found, err := op.Releases.Last(key.Name)
	rel, err := asRelease(found, err)
	if err != nil {
		return rollout.Record{}, fmt.Errorf("read release %s after its rollback: %w", key, err)
	}
	return recordOf(op, rel), nil
}

// operation is what one Helm operation works with: the SDK's configuration, and
// the two parts of it that are ours. It is cheap and never shared: the SDK writes
// into it.
type operation struct {
	*action.Configuration
	client  *client
	records *records
}

func (s *Store) operation(ctx context.Context, key fleet.Key, migrate bool) (*operation, error) {
	caps, err := s.session.Capabilities(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.learn(ctx, false); err != nil {
		return nil, err
	}
	secrets := newVersioned(s.session.Kube.CoreV1().Secrets(key.Namespace))
	op := &operation{
		Configuration: action.NewConfiguration(action.ConfigurationSetLogger(s.log)),
		client:        newClient(ctx, s.session, s.cluster, key, s.log, s.Fields, migrate),
		records:       &records{Secrets: driver.NewSecrets(secrets), secrets: secrets, key: key, manifests: &s.manifests, version: s.session.VersionOf},
	}
	op.client.reach = rollout.ReachOf(s.Set, key)
	op.records.SetLogger(s.log)
	op.RESTClientGetter, op.Capabilities = s.session, caps
	op.KubeClient, op.Releases = op.client, storage.Init(op.records)
	return op, nil
}

// expectNothing is for the first install into a namespace that is new.
func expectNothing(op *operation) {
	op.records.fresh = true
	op.client.fresh = true
}

// recordOf is what an operation has made of a release.
func recordOf(op *operation, rel *helmrelease.Release) rollout.Record {
	out := recordFrom(rel.Namespace, rel.Name, rel.Version, rel.Info.Status.String(), rel.Labels, rel.Info.LastDeployed)
	out.Known, out.Manifest, out.Left = true, digestOf(rel), op.client.leftAlone()
	return out
}

func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

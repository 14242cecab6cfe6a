package crds

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Versions of Kubernetes' own storage migration in which it takes a resource without a
// version, newest first.
var migrationVersions = []string{"v1", "v1beta1"}

// migrationPause is between two looks at a migration, migrationStill how long one may
// show nothing new: a controller that learns of a new kind takes up to a minute.
const (
	migrationPause = time.Second
	migrationStill = 2 * time.Minute
)

// errNotMigrated says that Kubernetes' own migration did not do it; every object is to
// be written by us.
var errNotMigrated = errors.New("the storage migration of Kubernetes")

// migrate has Kubernetes' own storage migration write all objects of a kind once more,
// where it is served and we may ask for it. It goes on if this client dies. Whatever is
// wrong with it is an error of kind errNotMigrated.
func (d Definitions) migrate(ctx context.Context, move rollout.Relocation, of schema.GroupResource, report func(string)) error {
	client, err := d.migrations()
	if err != nil {
		return err
	}
	name := "wheelhouse." + move.CRD
	// One that a run left that died may be about an earlier change.
	if err := client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%w: %w", errNotMigrated, err)
	}
	wanted := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"resource": map[string]any{"group": of.Group, "resource": of.Resource}}}}
	wanted.SetAPIVersion(client.version)
	wanted.SetKind("StorageVersionMigration")
	wanted.SetName(name)
	if _, err := client.Create(ctx, wanted, metav1.CreateOptions{FieldManager: marks.FieldManager}); err != nil {
		return fmt.Errorf("%w: %w", errNotMigrated, err)
	}
	defer func() { _ = client.Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{}) }()
	return awaitMigration(ctx, client, name, report)
}

// migrations is the client of the API; an error where it is not served.
func (d Definitions) migrations() (*migrationClient, error) {
	for _, version := range migrationVersions {
		gv := schema.GroupVersion{Group: "storagemigration.k8s.io", Version: version}
		if _, err := d.session.Discovery.ServerResourcesForGroupVersion(gv.String()); err == nil {
			return &migrationClient{d.session.Dynamic.Resource(gv.WithResource("storageversionmigrations")), gv.String()}, nil
		}
	}
	return nil, fmt.Errorf("%w is not served", errNotMigrated)
}

type migrationClient struct {
	dynamic.ResourceInterface
	version string
}

// awaitMigration follows a migration to its end.
func awaitMigration(ctx context.Context, client *migrationClient, name string, report func(string)) error {
	said, since := "", time.Now()
	for {
		live, err := client.Get(ctx, name, metav1.GetOptions{})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNotMigrated, err)
		}
		conditions := conditionsOf(live)
		switch failed, running := conditions["Failed"], conditions["Running"]; {
		case conditions["Succeeded"].Status == metav1.ConditionTrue:
			return nil
		case failed.Status == metav1.ConditionTrue:
			return fmt.Errorf("%w failed: %s", errNotMigrated, failed.Message)
		case running.Message != said:
			said, since = running.Message, time.Now()
			report("migrated by Kubernetes: " + said)
		case time.Since(since) > migrationStill:
			return fmt.Errorf("%w shows nothing new for %s", errNotMigrated, migrationStill)
		}
		select {
		case <-time.After(migrationPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func conditionsOf(migration *unstructured.Unstructured) map[string]metav1.Condition {
	out := map[string]metav1.Condition{}
	list, _, _ := unstructured.NestedSlice(migration.Object, "status", "conditions")
	for _, item := range list {
		c, _ := item.(map[string]any)
		kind, _ := c["type"].(string)
		status, _ := c["status"].(string)
		message, _ := c["message"].(string)
		out[kind] = metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Message: message}
	}
	return out
}

package examine

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/survey"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Labels by which the parts of platforms are found: ours, and those of the published charts.
var parts = []struct{ resource, selector string }{
	{"deployments", marks.PartOf + "=" + marks.PartOfOperator},
	{"deployments", "app.kubernetes.io/name=dynamo-operator"},
	{"daemonsets", marks.PartOf + "=" + marks.PartOfChrek},
	{"daemonsets", marks.Agents},
}

// findPlatforms finds the namespaces of platforms: where operators and agents run,
// where they serve, and where a release of a fleet is recorded.
func (l *look) findPlatforms(ctx context.Context) error {
	for _, name := range []string{"deployments", "daemonsets"} {
		of := resource{group: "apps", name: name}
		if allowed, err := l.may(ctx, of); err != nil {
			return err
		} else if !allowed {
			l.unread(doctor.Platforms, "", "you may not list "+of.String())
			return nil
		}
	}
	if err := l.read(ctx, doctor.Platforms, "", l.findParts); err != nil {
		return err
	}
	allowed, err := l.may(ctx, resource{name: "secrets"})
	if err != nil || !allowed {
		return err
	}
	return l.read(ctx, doctor.Platforms, "", l.findReleases)
}

func (l *look) findParts(ctx context.Context) error {
	for _, part := range parts {
		gvr := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: part.resource}
		err := l.EachMetadata(ctx, gvr, "", metav1.ListOptions{LabelSelector: part.selector}, func(m *metav1.PartialObjectMetadata) {
			if metav1.GetControllerOf(m) == nil {
				l.found.Namespaces = append(l.found.Namespaces, m.Namespace)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// crdsRelease is what the release of the CRDs is called, in a namespace that may hold
// anything else.
const crdsRelease = "dynamo-crds"

// findReleases finds where the manager has installed something, or began to.
func (l *look) findReleases(ctx context.Context) error {
	return l.EachMetadata(ctx, secrets, "", metav1.ListOptions{LabelSelector: "owner=helm"}, func(m *metav1.PartialObjectMetadata) {
		if m.Labels["name"] == crdsRelease {
			l.found.Records = append(l.found.Records, m.Namespace)
		} else if m.Labels[marks.RecordFleet] != "" || m.Labels["name"] == fleet.DefaultRelease {
			l.found.Namespaces = append(l.found.Namespaces, m.Namespace)
		}
	})
}

// operators asks who else serves what these namespaces have, and where.
func (l *look) operators(ctx context.Context) error {
	facts, err := survey.New(l.Session).Facts(ctx, check.Wanted{Facts: map[check.Fact]bool{check.FactOperators: true}, Namespaces: l.found.Namespaces})
	if err != nil {
		return err
	}
	if reason, unknown := facts.Unknown[check.FactOperators]; unknown {
		l.unread(doctor.Operators, "", reason)
	}
	l.found.Operators = facts.Operators
	return nil
}

// schemas asks how the cluster serves our kinds, which anybody may know.
func (l *look) schemas(ctx context.Context) error {
	facts, err := survey.New(l.Session).Facts(ctx, check.Wanted{Facts: map[check.Fact]bool{check.FactSchemas: true}})
	if err == nil {
		l.found.Served = facts.Schemas
	}
	return err
}

package charts

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

// everything turns on all that has a name of its own.
const everything = `
nats: {enabled: false}
kai-scheduler: {enabled: true}
dynamo-operator:
  namespaceRestriction: {enabled: %v}
  controllerManager: {replicas: 2}
  kaiScheduler: {createQueues: auto}
  dynamo: {metrics: {podMonitors: {enabled: true}}}
  metricsService: {serviceMonitor: {enabled: auto}}
  webhook: {enabled: true, certManager: {enabled: %v}, certificateSecret: {wheelhouse: true}}
`

func TestNamesFitForTheLongestReleaseName(t *testing.T) {
	longest := strings.Repeat("a", 53)
	namespace := strings.Repeat("n", 63)
	for _, restricted := range []bool{false, true} {
		for _, certManager := range []bool{false, true} {
			for _, release := range []string{longest, "r", "dynamo-operator", longest[:35] + "-dynamo-operator"} {
				values := fmt.Sprintf(everything, restricted, certManager)
				rendered, err := complete(t).Render(chart.Release{Name: release, Namespace: namespace}, parseYAML(t, values), chart.OfflineCapabilities())
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, object := range rendered.Objects {
					if id := object.String(); seen[id] {
						t.Errorf("two objects are %s", id)
					} else {
						seen[id] = true
					}
					if problems := validation.IsDNS1123Label(object.Name); len(problems) > 0 {
						t.Errorf("release %s, restricted %v: %s: %v", release, restricted, object, problems)
					}
					for key, value := range object.Labels {
						if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
							t.Errorf("%s: label %s=%s: %v", object, key, value, problems)
						}
					}
				}
				operatorConfig(t, rendered) // names in it are checked, too
			}
		}
	}
}

// TestTooLongANameOfAServiceIsRefused with what mends it, and what it says is
// possible is: a StatefulSet with more than 52 characters never gets a pod.
func TestTooLongANameOfAServiceIsRefused(t *testing.T) {
	with := complete(t)
	for _, service := range []string{"nats", "etcd"} {
		for _, test := range []struct {
			release, values, refusal string
		}{
			{strings.Repeat("a", 47), `enabled: true`, ""},
			{strings.Repeat("a", 48), `enabled: true`, "at most 47 characters"},
			{strings.Repeat("a", 53), `enabled: true, fullnameOverride: ` + service, ""},
			{strings.Repeat("a", 53), `enabled: false`, ""},
			{strings.Repeat("b", 51), `enabled: true, nameOverride: x`, "at most 50 characters"},
			{service + strings.Repeat("a", 48), `enabled: true`, ""},
			{service + strings.Repeat("a", 49), `enabled: true`, "at most 52 characters"},
		} {
			values := service + ": {" + test.values + "}"
			if service == "etcd" {
				values += "\nnats: {enabled: false}" // which has a longer name
			}
			rendered, err := tryRenderAs(t, with, test.release, values)
			switch {
			case test.refusal != "":
				if err == nil || !strings.Contains(err.Error(), test.refusal) || !strings.Contains(err.Error(), "Set "+service+".fullnameOverride") {
					t.Errorf("%s as %s: %v, want a refusal with %q", service, test.release, err, test.refusal)
				}
			case err != nil:
				t.Errorf("%s as %s: %v", service, test.release, err)
			default:
				for _, object := range rendered.Objects {
					if problems := validation.IsDNS1123Label(object.Name); len(problems) > 0 || object.Kind == "StatefulSet" && len(object.Name) > 52 {
						t.Errorf("%s as %s: %s: %v", service, test.release, object, problems)
					}
				}
			}
		}
	}
}

// TestReleasesShareNoObjectOfTheCluster: but for the marker of a cluster-wide
// operator, which is there to make a second one fail, and for the Namespace of
// the KAI scheduler, which a cluster has once.
func TestReleasesShareNoObjectOfTheCluster(t *testing.T) {
	long := strings.Repeat("a", 52)
	releases := []chart.Release{
		{Name: "platform", Namespace: "team-a"}, {Name: "platform", Namespace: "team-b"},
		{Name: "other", Namespace: "team-c"},
		{Name: long + "x", Namespace: "team-d"}, {Name: long + "y", Namespace: "team-e"}, {Name: long + "y", Namespace: "team-f"},
		{Name: "dynamo-operator-a", Namespace: "b"}, {Name: "dynamo-operator", Namespace: "a-b"},
	}
	owners := map[string]string{}
	for i, release := range releases {
		// One of them is cluster-wide, as during a migration.
		values := parseYAML(t, fmt.Sprintf(everything, i > 0, false))
		rendered, err := complete(t).Render(release, values, chart.OfflineCapabilities())
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range rendered.Objects {
			if !check.ClusterScoped(object.Kind) || object.Name == "kai-resource-reservation" {
				continue
			}
			id, owner := object.Kind+"/"+object.Name, release.Namespace+"/"+release.Name
			if other, taken := owners[id]; taken {
				t.Errorf("%s belongs to both %s and %s", id, other, owner)
			}
			owners[id] = owner
		}
	}
	if len(owners) < 3*len(releases) {
		t.Errorf("only %d objects were compared", len(owners))
	}
}

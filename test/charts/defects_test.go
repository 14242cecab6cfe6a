package charts

import (
	"regexp"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func TestTheOperatorChartRendersOnItsOwn(t *testing.T) {
	c, err := chart.OpenFS(charts.FS(), "platform/components/operator")
	if err != nil {
		t.Fatal(err)
	}
	rendered := inOrder(t, c, chart.Release{Name: "dynamo", Namespace: "inference"}, nil, chart.OfflineCapabilities(), "the operator alone")
	operatorConfig(t, rendered)
}

func TestAChangedConfigurationRollsTheOperator(t *testing.T) {
	before := checksum(t, `{}`)
	for values, rolls := range map[string]bool{
		`dynamo-operator: {controllerManager: {logLevel: debug}}`:                true,
		`nats: {enabled: false}`:                                                 true,
		`dynamo-operator: {controllerManager: {replicas: 2}}`:                    false,
		`dynamo-operator: {metricsService: {type: NodePort}}`:                    false,
		`dynamo-operator: {webhook: {failurePolicy: Ignore, timeoutSeconds: 5}}`: false,
	} {
		if changed := checksum(t, values) != before; changed != rolls {
			t.Errorf("%s: the checksum of the configuration changed: %v, want %v", values, changed, rolls)
		}
	}
}

func checksum(t *testing.T, values string) string {
	t.Helper()
	found := regexp.MustCompile(`checksum/config: ([0-9a-f]{64})`).FindStringSubmatch(renderAs(t, complete(t), "dynamo", values).Manifest)
	if found == nil {
		t.Fatal("the operator's pods have no checksum of the configuration")
	}
	return found[1]
}

package charts

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// monitor is what these tests look at of a PodMonitor or ServiceMonitor.
type monitor struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		NamespaceSelector   map[string]any       `json:"namespaceSelector"`
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []endpoint           `json:"podMetricsEndpoints"`
		Endpoints           []endpoint           `json:"endpoints"`
	} `json:"spec"`
}

type endpoint struct {
	Port      string `json:"port"`
	Interval  string `json:"interval"`
	Scheme    string `json:"scheme"`
	TLSConfig struct {
		ServerName         string         `json:"serverName"`
		CA                 map[string]any `json:"ca"`
		InsecureSkipVerify bool           `json:"insecureSkipVerify"`
	} `json:"tlsConfig"`
}

func monitorsIn(t *testing.T, rendered *chart.Rendered) map[string]monitor {
	t.Helper()
	found := map[string]monitor{}
	for _, object := range rendered.Objects {
		if object.APIVersion != "monitoring.coreos.com/v1" {
			continue
		}
		var m monitor
		if err := yaml.Unmarshal([]byte(object.Content), &m); err != nil {
			t.Fatal(err)
		}
		found[object.Kind+"/"+object.Name] = m
	}
	return found
}

func TestMonitorsAreOnOffOrAutoByAnExplicitValue(t *testing.T) {
	const service = "ServiceMonitor/dynamo-platform-dynamo-operator-operator"
	pods := []string{"PodMonitor/dynamo-frontend", "PodMonitor/dynamo-planner", "PodMonitor/dynamo-worker"}
	withCRDs := chart.OfflineCapabilities()
	withCRDs.APIVersions = append(slices.Clone(withCRDs.APIVersions), "monitoring.coreos.com/v1")
	for name, test := range map[string]struct {
		values        string
		offline, live []string
	}{
		"by default":             {values: `{}`},
		"on":                     {`dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: true}}}, metricsService: {serviceMonitor: {enabled: true}}}`, append(slices.Clone(pods), service), append(slices.Clone(pods), service)},
		"auto":                   {`dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: auto}}}, metricsService: {serviceMonitor: {enabled: auto}}}`, nil, append(slices.Clone(pods), service)},
		"null, as in later ones": {`dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: null}}}, metricsService: {enabled: null}}`, nil, append(slices.Clone(pods), service)},
		"off":                    {`dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: false}}}, metricsService: {enabled: false}}`, nil, nil},
		"auto without metrics":   {`dynamo-operator: {metricsService: {enabled: false, serviceMonitor: {enabled: auto}}}`, nil, nil},
		"restricted":             {`dynamo-operator: {namespaceRestriction: {enabled: true}, dynamo: {metrics: {podMonitors: {enabled: true}}}, metricsService: {serviceMonitor: {enabled: auto}}}`, pods, pods},
	} {
		t.Run(name, func(t *testing.T) {
			for _, against := range []struct {
				caps *common.Capabilities
				want []string
			}{{chart.OfflineCapabilities(), test.offline}, {withCRDs, test.live}} {
				rendered, err := platform(t).Render(chart.Release{Name: "dynamo-platform", Namespace: "inference"}, parseYAML(t, test.values), against.caps)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for id := range monitorsIn(t, rendered) {
					got = append(got, id)
				}
				slices.Sort(got)
				if !slices.Equal(got, against.want) {
					t.Errorf("rendered %v, want %v", got, against.want)
				}
			}
		})
	}
}

func TestPodMonitorsFindThePodsOfGraphs(t *testing.T) {
	found := monitorsIn(t, render(t, `dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: true, interval: 15s, labels: {release: mine}}}}}`))
	for name, test := range map[string]struct {
		port  string
		types []string
	}{
		"frontend": {"http", []string{"frontend"}},
		"worker":   {"system", []string{"worker", "prefill", "decode"}},
		"planner":  {"metrics", []string{"planner"}},
	} {
		m := found["PodMonitor/dynamo-"+name]
		if m.Metadata.Labels["release"] != "mine" {
			t.Errorf("%s: labels %v", name, m.Metadata.Labels)
		}
		if diff := cmp.Diff(map[string]any{"any": true}, m.Spec.NamespaceSelector); diff != "" {
			t.Errorf("%s: namespaces (-want +got):\n%s", name, diff)
		}
		if len(m.Spec.PodMetricsEndpoints) != 1 || m.Spec.PodMetricsEndpoints[0].Port != test.port || m.Spec.PodMetricsEndpoints[0].Interval != "15s" {
			t.Errorf("%s: endpoints %+v, want port %s every 15s", name, m.Spec.PodMetricsEndpoints, test.port)
		}
		selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"frontend", "worker", "prefill", "decode", "planner"} {
			pod := labels.Set{"nvidia.com/metrics-enabled": "true", "nvidia.com/dynamo-component-type": kind}
			if got, want := selector.Matches(pod), slices.Contains(test.types, kind); got != want {
				t.Errorf("%s: selects pods of type %s: %v, want %v", name, kind, got, want)
			}
			if delete(pod, "nvidia.com/metrics-enabled"); selector.Matches(pod) {
				t.Errorf("%s: selects pods that want no metrics", name)
			}
		}
	}
}

// TestTheServiceMonitorVerifiesTheOperator by the certificate of its webhooks.
func TestTheServiceMonitorVerifiesTheOperator(t *testing.T) {
	const on = `dynamo-operator: {metricsService: {serviceMonitor: {enabled: true, labels: {prometheus: main}}}, webhook: {certificateSecret: {name: own-cert}}}`
	rendered := render(t, on)
	m := monitorsIn(t, rendered)["ServiceMonitor/dynamo-platform-dynamo-operator-operator"]
	if m.Metadata.Labels["prometheus"] != "main" {
		t.Errorf("labels %v", m.Metadata.Labels)
	}
	endpoint := m.Spec.Endpoints[0]
	certificates := operatorConfig(t, rendered).Server.Webhook.Certificates
	if endpoint.Scheme != "https" || endpoint.TLSConfig.InsecureSkipVerify || endpoint.TLSConfig.ServerName != certificates.DNSName() {
		t.Errorf("%+v, want HTTPS with the name %s", endpoint, certificates.DNSName())
	}
	want := map[string]any{"secret": map[string]any{"name": "own-cert", "key": "ca.crt"}}
	if diff := cmp.Diff(want, endpoint.TLSConfig.CA); diff != "" {
		t.Errorf("authority (-want +got):\n%s", diff)
	}
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	var selected []string
	for _, object := range rendered.Objects {
		if object.Kind == "Service" && selector.Matches(labels.Set(object.Labels)) {
			selected = append(selected, strict[corev1.Service](t, object).Name)
		}
	}
	if diff := cmp.Diff([]string{"dynamo-platform-dynamo-operator"}, selected); diff != "" {
		t.Errorf("Services that are scraped (-want +got):\n%s", strings.TrimSpace(diff))
	}
}

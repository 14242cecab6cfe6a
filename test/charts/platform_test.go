// Package charts tests what the charts render: golden files per mode, the
// operator's rights against what its code asks for, and refusals.
package charts

import (
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// modes are the ways in which people install the platform: the first with the
// NATS that is on by default, the others, to be short, without.
var modes = map[string]string{
	"cluster":    `{}`,
	"restricted": `{nats: {enabled: false}, dynamo-operator: {namespaceRestriction: {enabled: true}}}`,
	"available": `
nats: {enabled: false}
dynamo-operator:
  controllerManager:
    replicas: 2
    priorityClassName: system-cluster-critical
    tolerations: [{key: spot, operator: Exists}]
    nodeSelector: {pool: system}
    topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}
`,
	"mirrored": `
nats: {enabled: false}
global: {imageRegistry: registry.example.com/mirror, imagePullSecrets: [mirror]}
dynamo-operator:
  imagePullSecrets: [{name: own}, {name: mirror}]
  controllerManager:
    manager:
      image: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
`,
	"connected": `
nats: {enabled: false}
dynamo-operator:
  discoveryBackend: etcd
  natsAddr: nats://nats.messaging:4222
  etcdAddr: http://etcd.data:2379
  modelExpressURL: http://models.example.com
  dynamo:
    ingress: {enabled: true, className: nginx, tlsSecretName: wildcard}
    ingressHostSuffix: llm.example.com
    metrics: {prometheusEndpoint: "http://prometheus.monitoring:9090"}
  metricsService: {enabled: false}
`,
	"dressed": `
nats: {enabled: false}
global: {grove: {enabled: true}, kai-scheduler: {enabled: true}}
dynamo-operator:
  env: [{name: GOMEMLIMIT, value: 500MiB}]
  dynamo:
    components: {serviceAccount: {annotations: {cloud.example.com/role: models}}}
    dockerRegistry: {useKubernetesSecret: true, existingSecretName: registry}
    internalImages: {debugger: "registry.example.com/tools:1"}
    istio: {enabled: true, gateway: edge/public}
    ingress: {allowedHostSuffixes: ["{namespace}.llm.example.com"], allowedAnnotationPrefixes: []}
    reserved: {serviceAccounts: [restorer], secrets: [registry-push]}
    metrics: {podMonitors: {enabled: true, labels: {release: prometheus}}}
  webhook: {authorizeAuthors: true}
  metricsService: {serviceMonitor: {enabled: true}}
`,
	"dressed-restricted": `
nats: {enabled: false}
global: {kai-scheduler: {enabled: true}}
dynamo-operator:
  namespaceRestriction: {enabled: true}
  checkpoint: {enabled: true, seccompProfile: profiles/block-iouring.json}
  dynamo:
    components: {serviceAccount: {annotations: {cloud.example.com/role: models}}}
    dockerRegistry: {useKubernetesSecret: true, existingSecretName: registry}
    istio: {enabled: true, gateway: edge/public}
    metrics: {podMonitors: {enabled: true}}
`,
	"restricted-webhook": `
nats: {enabled: false}
dynamo-operator:
  namespaceRestriction: {enabled: true}
  webhook: {enabled: true, failurePolicy: Ignore, timeoutSeconds: 5, certificateSecret: {name: own-cert, wheelhouse: true}, certificateValidity: 30}
`,
	"companion": `
global: {kai-scheduler: {enabled: true}}
dynamo-operator:
  namespaceRestriction: {enabled: true, targetNamespace: team-a}
  webhook: {enabled: true, certificateSecret: {wheelhouse: true}}
  dynamo: {metrics: {podMonitors: {enabled: true}}}
`,
	"cert-manager": `
nats: {enabled: false}
dynamo-operator:
  namespaceRestriction: {enabled: true}
  webhook:
    certManager: {enabled: true, certificate: {duration: 2160h}}
    namespaceSelector: {matchExpressions: [{key: dynamo, operator: Exists}]}
`,
	"external-cert": `
nats: {enabled: false}
dynamo-operator:
  webhook:
    certificateSecret: {name: from-the-vault, external: true}
    caBundle: ` + someAuthority + `
`,
	"no-webhook": `{nats: {enabled: false}, dynamo-operator: {webhook: {enabled: false}}}`,
}

// someAuthority is the base64 of what looks like a PEM certificate.
var someAuthority = base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))

// platform is the chart with NATS, which is on by default.
func platform(t *testing.T) *chart.Chart {
	t.Helper()
	return withFixtures(t, "nats")
}

// bare is the platform as it is embedded.
func bare(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func render(t *testing.T, values string) *chart.Rendered {
	t.Helper()
	rendered, err := tryRender(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func tryRender(t *testing.T, values string) (*chart.Rendered, error) {
	t.Helper()
	return tryRenderAs(t, platform(t), "dynamo-platform", values)
}

func renderAs(t *testing.T, c *chart.Chart, release, values string) *chart.Rendered {
	t.Helper()
	rendered, err := tryRenderAs(t, c, release, values)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func tryRenderAs(t *testing.T, c *chart.Chart, release, values string) (*chart.Rendered, error) {
	t.Helper()
	overrides := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &overrides); err != nil {
		t.Fatal(err)
	}
	// The schema is checked as stock Helm does it.
	work := c.Helm()
	if err := util.ProcessDependencies(work, overrides); err != nil {
		t.Fatal(err)
	}
	if _, err := commonutil.ToRenderValues(work, overrides, common.ReleaseOptions{}, chart.OfflineCapabilities()); err != nil {
		return nil, err
	}
	return c.Render(chart.Release{Name: release, Namespace: "inference"}, overrides, chart.OfflineCapabilities())
}

func TestGoldenPlatform(t *testing.T) {
	for mode, values := range modes {
		t.Run(mode, func(t *testing.T) {
			got := render(t, values).Manifest
			file := filepath.Join("testdata", "platform-"+mode+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run `make golden` if this is meant (-golden +rendered):\n%s", diff)
			}
		})
	}
}

func TestRenderingTwiceGivesTheSameBytes(t *testing.T) {
	for mode, values := range modes {
		first, second := render(t, values), render(t, values)
		if diff := cmp.Diff(first.Manifest, second.Manifest); diff != "" {
			t.Errorf("%s: two renderings differ:\n%s", mode, diff)
		}
		if len(first.Hooks) != 0 {
			t.Errorf("%s: %d hooks, want none", mode, len(first.Hooks))
		}
	}
}

// TestOperatorRightsAreExactlyWhatItsCodeNeeds also proves that the rendered
// configuration is one that the operator accepts.
func TestOperatorRightsAreExactlyWhatItsCodeNeeds(t *testing.T) {
	for mode, values := range modes {
		t.Run(mode, func(t *testing.T) {
			rendered := render(t, values)
			cfg := operatorConfig(t, rendered)
			needed := manager.PermissionsFor(cfg)
			const prefix = "dynamo-platform-dynamo-operator-"
			for role, want := range map[string][]rbacv1.PolicyRule{
				prefix + "manager-role":         needed.Served,
				prefix + "leader-election-role": needed.Election,
				prefix + "metrics-auth":         needed.Metrics,
				prefix + "webhook-certificate":  needed.Certificate,
				prefix + "webhook-trust":        needed.Trust,
			} {
				if diff := cmp.Diff(expand(want), expand(rulesOf(t, rendered, role))); diff != "" {
					t.Errorf("%s (-code needs +chart grants):\n%s", role, diff)
				}
			}
		})
	}
}

func operatorConfig(t *testing.T, rendered *chart.Rendered) *config.OperatorConfiguration {
	t.Helper()
	for _, object := range rendered.Objects {
		if object.Kind != "ConfigMap" || object.Labels["app.kubernetes.io/part-of"] != "dynamo-operator" {
			continue
		}
		var configMap corev1.ConfigMap
		if err := yaml.UnmarshalStrict([]byte(object.Content), &configMap); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Parse([]byte(configMap.Data["config.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	t.Fatal("no ConfigMap rendered")
	return nil
}

func rulesOf(t *testing.T, rendered *chart.Rendered, name string) []rbacv1.PolicyRule {
	t.Helper()
	for _, object := range rendered.Objects {
		if object.Name != name || object.Kind != "Role" && object.Kind != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(object.Content), &role); err != nil {
			t.Fatal(err)
		}
		return role.Rules
	}
	return nil
}

// expand lists rules as one line for each verb on each resource, sorted, so
// that two ways to write the same rights compare equal.
func expand(rules []rbacv1.PolicyRule) []string {
	var lines []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					lines = append(lines, strings.TrimSpace(strings.Join([]string{group + "/" + resource, verb, strings.Join(rule.ResourceNames, ",")}, " ")))
				}
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func TestRestrictedScopeNeedsNothingClusterWide(t *testing.T) {
	for _, object := range render(t, modes["restricted"]).Objects {
		if strings.HasPrefix(object.Kind, "Cluster") {
			t.Errorf("%s is cluster-scoped", object)
		}
		if object.Namespace != "inference" {
			t.Errorf("%s is outside the release's namespace", object)
		}
	}
}

// TestNoWildcardAndNoSecretInAnyRole: but for the webhooks' own certificate and the
// key pair of groups, by their names.
func TestNoWildcardAndNoSecretInAnyRole(t *testing.T) {
	for mode, values := range modes {
		rendered := render(t, values)
		for _, object := range rendered.Objects {
			for _, line := range expand(rulesOf(t, rendered, object.Name)) {
				if certificate := operatorConfig(t, rendered).Server.Webhook.Certificates.SecretName; strings.HasSuffix(line, " "+certificate) || strings.HasSuffix(line, " mpi-run-ssh-secret") {
					continue
				}
				if strings.Contains(line, "*") || strings.HasPrefix(line, "/secrets") {
					t.Errorf("%s: %s grants %s", mode, object, line)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"misplaced key":         {`namespaceRestriction: {enabled: true}`, "dynamo-operator.namespaceRestriction in its place: the key belongs to dynamo-operator"},
		"misspelt key":          {`dynamo-operator: {namespaceRestriction: {enable: true}}`, "enable"},
		"wrong type":            {`dynamo-operator: {controllerManager: {replicas: "2"}}`, "replicas"},
		"ingress without class": {`dynamo-operator: {dynamo: {ingress: {enabled: true}}}`, "className"},
		"address of nothing":    {`{nats: {enabled: false}, dynamo-operator: {nats: {enabled: true}}}`, "nats.enabled"},
		"two exposures":         {`dynamo-operator: {dynamo: {ingress: {enabled: true, className: nginx}, istio: {enabled: true, gateway: a/b}}}`, "Set one of them to false"},
		"istio without gateway": {`dynamo-operator: {dynamo: {istio: {enabled: true}}}`, "dynamo.istio.gateway is empty"},
		"registry password":     {`dynamo-operator: {dynamo: {dockerRegistry: {password: x}}}`, "existingSecretName, the name of a Secret, in place of password"},
		"registry without name": {`dynamo-operator: {dynamo: {dockerRegistry: {useKubernetesSecret: true}}}`, "kubectl create secret docker-registry"},
		"checkpoints in s3":     {`dynamo-operator: {checkpoint: {storage: {type: s3}}}`, "no version of the operator has ever restored from s3 or oci"},
		"a flag with a key":     {`dynamo-operator: {controllerManager: {manager: {args: [--restrictedNamespace=a]}}}`, "set namespaceRestriction.enabled in its place"},
		"a flag without a key":  {`dynamo-operator: {controllerManager: {manager: {args: [--metrics-secure]}}}`, "no key of this chart has taken its place"},
		"the published image":   {`dynamo-operator: {controllerManager: {manager: {image: {repository: nvcr.io/nvidia/ai-dynamo/kubernetes-operator, tag: 0.9.0}}}}`, "names an image of the published operator"},
		"a variable of ours":    {`dynamo-operator: {env: [{name: POD_NAMESPACE, value: x}]}`, "the chart sets these itself"},
		"monitor of nothing":    {`dynamo-operator: {metricsService: {enabled: false, serviceMonitor: {enabled: true}}}`, "the operator serves no metrics, because metricsService.enabled is false"},
		"two switches disagree": {`{grove: {enabled: true}, global: {grove: {install: false}}}`, "the two contradict each other"},
		"issuer":                {`dynamo-operator: {webhook: {certManager: {issuerRef: {name: mine}}}}`, "webhook.certManager without issuerRef"},
		"certGenerator":         {`dynamo-operator: {webhook: {certGenerator: {image: {tag: "1"}}}}`, "without certGenerator, which has no use any more"},
		"queues, restricted":    {`dynamo-operator: {namespaceRestriction: {enabled: true}, kaiScheduler: {createQueues: true}}`, "has no right outside its namespace"},
		"webhooks, restricted":  {`dynamo-operator: {namespaceRestriction: {enabled: true}, webhook: {enabled: true}}`, "install with wheelhouse"},
		"a target for all":      {`dynamo-operator: {namespaceRestriction: {targetNamespace: team-a}}`, "so the operator serves every namespace"},
		"two certificates":      {`dynamo-operator: {webhook: {certManager: {enabled: true}, certificateSecret: {external: true}}}`, "only one of the two"},
		"external without CA":   {`dynamo-operator: {webhook: {certificateSecret: {external: true}}}`, "webhook.caBundle is empty"},
		"CA without external":   {`dynamo-operator: {webhook: {caBundle: ` + someAuthority + `}}`, "webhook.caBundle is set"},
		"CA is not PEM":         {`dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: aGVsbG8=}}`, "not the base64 of a PEM certificate"},
		"CA is not base64":      {`dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: "-----BEGIN"}}`, "caBundle"},
		"validity of others":    {`dynamo-operator: {webhook: {certManager: {enabled: true}, certificateValidity: 90}}`, "webhook.certificateValidity is set"},
		"webhook timeout":       {`dynamo-operator: {webhook: {timeoutSeconds: 31}}`, "timeoutSeconds"},
		"webhook selector":      {`dynamo-operator: {webhook: {namespaceSelector: {team: a}}}`, "team"},
		"chart not at hand":     {`grove: {enabled: true}`, "does not contain the grove chart"},
	} {
		_, err := tryRender(t, test.values)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error about %q", name, err, test.want)
		}
	}
}

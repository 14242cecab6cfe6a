package charts

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// published are complete copies of the defaults of the published charts.
var published = []string{"published-defaults", "published-later"}

func TestPublishedDefaultsAreAccepted(t *testing.T) {
	for _, name := range published {
		t.Run(name, func(t *testing.T) {
			rendered := renderAs(t, complete(t), "dynamo-platform", readFile(t, "testdata/"+name+".yaml"))
			operatorConfig(t, rendered)
		})
	}
}

// TestNoKeyIsSilent changes each key of the published charts and expects that
// something else is rendered, that the value is refused with a reason, or that
// the notes warn.
func TestNoKeyIsSilent(t *testing.T) {
	with := complete(t)
	var effective, refused, warned []string
	table := keyTable{}
	for _, file := range published {
		leaves := map[string]any{}
		collectLeaves(parseYAML(t, readFile(t, "testdata/"+file+".yaml")), "", leaves)
		for _, path := range slices.Sorted(maps.Keys(leaves)) {
			if !isOurs(path) || slices.Contains(nothingHere, path) {
				continue
			}
			t.Run(file+"/"+path, func(t *testing.T) {
				before := parseYAML(t, prerequisites[path])
				after := parseYAML(t, prerequisites[path])
				set(after, path, another(path, leaves[path]))
				base, baseNotes, err := renderAll(t, with, before)
				if err != nil {
					t.Fatalf("before the change: %v", err)
				}
				changed, notes, err := renderAll(t, with, after)
				switch {
				case err != nil && explains(err):
					refused = append(refused, path)
					table.add(path, leaves[path], "only this; another value is refused, with the reason")
				case err != nil:
					t.Errorf("is refused without a reason: %v", err)
				case changed != base:
					effective = append(effective, path)
					table.add(path, leaves[path], "works")
				case notes != baseNotes && strings.Contains(notes, path):
					warned = append(warned, path)
					table.add(path, leaves[path], "has no use here; a warning says so")
				default:
					t.Errorf("%v instead of %v has no effect, and nobody is told", another(path, leaves[path]), leaves[path])
				}
			})
		}
	}
	t.Logf("%d keys: %d have an effect, %d are refused with a reason, %d are warned about",
		len(effective)+len(refused)+len(warned), len(effective), len(refused), len(warned))
	table.golden(t)
}

// keyTable is what the guide for those who move says of each key.
type keyTable map[string]string

func (k keyTable) add(path string, published any, here string) {
	if _, known := k[path]; known {
		return // the earlier publication goes first
	}
	value, err := json.Marshal(published)
	if err != nil {
		value = []byte("?")
	}
	k[path] = "| `" + path + "` | `" + string(value) + "` | " + here + " |\n"
}

func (k keyTable) golden(t *testing.T) {
	t.Helper()
	text := "# Every key of the published platform chart\n\nWritten by `make golden` from a test that changes each of them.\n\n" +
		"| key | published default | here |\n|---|---|---|\n"
	for _, path := range slices.Sorted(maps.Keys(k)) {
		text += k[path]
	}
	const file = "../../docs/guides/published-keys.md"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if readFile(t, file) != text {
		t.Errorf("%s is stale: run `make golden`", file)
	}
}

// nothingHere are keys with no effect on what the chart renders. There is no job
// for a key pair, whether somebody wants one or not, and what needs the pair is
// refused where it is asked for. The claim is the agent's: rule C-02 holds its name
// against the chrek chart.
var nothingHere = []string{
	"dynamo-operator.dynamo.mpiRun.sshKeygen.enabled",
	"dynamo-operator.checkpoint.storage.pvc.pvcName",
}

// TestKeysOfOtherVersionsAreWarnedAbout: the schemas say which ones they are.
func TestKeysOfOtherVersionsAreWarnedAbout(t *testing.T) {
	with := complete(t)
	tried := 0
	for _, schema := range with.Schemas() {
		var root map[string]any
		if err := json.Unmarshal(schema.JSON, &root); err != nil {
			t.Fatal(err)
		}
		for _, path := range deprecated(root, schema.Path) {
			tried++
			name := strings.Join(path, ".")
			values := map[string]any{}
			set(values, name, withinSchema(root, path[len(schema.Path):]))
			_, notes, err := renderAll(t, with, values)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !strings.Contains(notes, "WARNING: "+name) {
				t.Errorf("%s is not warned about:\n%s", name, notes)
			}
		}
	}
	if tried < 8 {
		t.Errorf("%d keys are called deprecated, want all that have other names", tried)
	}
}

func deprecated(node map[string]any, path []string) (found [][]string) {
	if node["deprecated"] == true {
		return [][]string{path}
	}
	properties, _ := node["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if below, ok := properties[name].(map[string]any); ok {
			found = append(found, deprecated(below, append(slices.Clone(path), name))...)
		}
	}
	return found
}

// withinSchema is a value that a deprecated key takes.
func withinSchema(root map[string]any, path []string) any {
	for _, name := range path {
		root, _ = root["properties"].(map[string]any)[name].(map[string]any)
	}
	switch root["type"] {
	case "boolean":
		return true
	case "array":
		return []any{}
	}
	return map[string]any{"duration": "100h"}
}

// isOurs: keys of third-party charts are theirs, but for what switches them.
func isOurs(path string) bool {
	top, rest, _ := strings.Cut(path, ".")
	return top == "dynamo-operator" || top == "global" || rest == "enabled"
}

// another is a legal value other than the default.
func another(path string, value any) any {
	if given, ok := variants[path]; ok {
		return given
	}
	switch v := value.(type) {
	case bool:
		return !v
	case float64:
		return v + 1
	case string:
		return v + "x"
	default:
		return "x"
	}
}

// variants of keys that do not take just any value of their type.
var variants = map[string]any{
	"nats.enabled": false,
	"etcd.enabled": true,
	"dynamo-operator.controllerManager.manager.containerSecurityContext.capabilities.drop": []any{"NET_RAW"},
	"dynamo-operator.controllerManager.manager.resources.limits.memory":                    "3Gi",
	"dynamo-operator.controllerManager.manager.resources.requests.memory":                  "3Gi",
	"dynamo-operator.webhook.certManager.certificate.rootCA.renewBefore":                   "100h",
	"dynamo-operator.imagePullSecrets":                                                     []any{"mirror"},
	"dynamo-operator.discoveryBackend":                                                     "etcd",
	"dynamo-operator.natsAddr":                                                             "nats://bus.example.com:4222",
	"dynamo-operator.etcdAddr":                                                             "etcd.example.com:2379",
	"dynamo-operator.modelExpressURL":                                                      "http://models.example.com",
	"dynamo-operator.env":                                                                  []any{map[string]any{"name": "GOMEMLIMIT", "value": "500MiB"}},
	"dynamo-operator.namespaceRestriction.targetNamespace":                                 "elsewhere",
	"dynamo-operator.namespaceRestriction.lease.duration":                                  "40s",
	"dynamo-operator.namespaceRestriction.lease.renewInterval":                             "9s",
	"dynamo-operator.controllerManager.tolerations":                                        []any{map[string]any{"key": "spot", "operator": "Exists"}},
	"dynamo-operator.controllerManager.affinity":                                           parse(`nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: Exists}]}]}}`),
	"dynamo-operator.controllerManager.serviceAccount.annotations":                         map[string]any{"cloud.example.com/role": "operator"},
	"dynamo-operator.controllerManager.manager.args":                                       []any{"--natsAddr=nats://x:1"},
	"dynamo-operator.controllerManager.manager.image.repository":                           "registry.example.com/operator",
	"dynamo-operator.controllerManager.manager.image.pullPolicy":                           "Always",
	"dynamo-operator.controllerManager.manager.resources":                                  parse(`requests: {cpu: 1}`),
	"dynamo-operator.controllerManager.kubeRbacProxy.args":                                 []any{"--v=10"},
	"dynamo-operator.dynamo.components.serviceAccount.annotations":                         map[string]any{"cloud.example.com/role": "models"},
	"dynamo-operator.dynamo.groveTerminationDelay":                                         "1h",
	"dynamo-operator.dynamo.metrics.prometheusEndpoint":                                    "http://prometheus.example.com",
	"dynamo-operator.dynamo.metrics.podMonitors.enabled":                                   true,
	"dynamo-operator.metricsService.type":                                                  "NodePort",
	"dynamo-operator.metricsService.ports":                                                 parse(`[{name: https, port: 9443, targetPort: https}]`),
	"dynamo-operator.metricsService.enabled":                                               false,
	"dynamo-operator.webhook.caBundle":                                                     someAuthority,
	"dynamo-operator.webhook.failurePolicy":                                                "Ignore",
	"dynamo-operator.webhook.namespaceSelector":                                            parse(`matchLabels: {team: a}`),
	"dynamo-operator.webhook.certManager.certificate.duration":                             "100h",
	"dynamo-operator.webhook.certManager.certificate.renewBefore":                          "10h",
	"dynamo-operator.webhook.certManager.certificate.rootCA.duration":                      "1000h",
	"dynamo-operator.controllerManager.manager.resources.limits.cpu":                       "2",
	"dynamo-operator.controllerManager.manager.resources.requests.cpu":                     "100m",
}

// prerequisites turn on what a key is about.
var prerequisites = map[string]string{
	"dynamo-operator.nats.enabled":                                       `nats: {enabled: true}`,
	"dynamo-operator.kubernetesClusterDomain":                            `nats: {enabled: true}`,
	"dynamo-operator.namespaceRestriction.lease.duration":                `dynamo-operator: {namespaceRestriction: {enabled: true}}`,
	"dynamo-operator.namespaceRestriction.targetNamespace":               `dynamo-operator: {namespaceRestriction: {enabled: true}}`,
	"dynamo-operator.dynamo.dockerRegistry.existingSecretName":           `dynamo-operator: {dynamo: {dockerRegistry: {useKubernetesSecret: true, existingSecretName: first}}}`,
	"dynamo-operator.dynamo.ingress.className":                           `dynamo-operator: {dynamo: {ingress: {enabled: true, className: first}}}`,
	"dynamo-operator.dynamo.istio.gateway":                               `dynamo-operator: {dynamo: {istio: {enabled: true, gateway: first}}}`,
	"dynamo-operator.webhook.certManager.certificate.duration":           `dynamo-operator: {webhook: {certManager: {enabled: true}}}`,
	"dynamo-operator.webhook.certManager.certificate.renewBefore":        `dynamo-operator: {webhook: {certManager: {enabled: true}}}`,
	"dynamo-operator.webhook.certManager.certificate.rootCA.duration":    `dynamo-operator: {webhook: {certManager: {enabled: true}}}`,
	"dynamo-operator.webhook.certManager.certificate.rootCA.renewBefore": `dynamo-operator: {webhook: {certManager: {enabled: true}}}`,
}

// explains: a reason is a sentence of ours, in the schema or in a template.
func explains(err error) bool {
	for _, sentence := range []string{"missing property '", "execution error at ("} {
		_, reason, found := strings.Cut(err.Error(), sentence)
		if found && strings.Count(reason, " ") > 3 {
			return true
		}
	}
	return strings.Count(err.Error(), " ") > 3 && !strings.Contains(err.Error(), "specifications of the schema")
}

func renderAll(t *testing.T, c *chart.Chart, values map[string]any) (manifest, notes string, err error) {
	t.Helper()
	work := c.Helm()
	if err := util.ProcessDependencies(work, values); err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "dynamo-platform", Namespace: "inference", IsInstall: true, Revision: 1}
	all, err := commonutil.ToRenderValues(work, values, release, chart.OfflineCapabilities())
	if err != nil {
		return "", "", err
	}
	files, err := engine.Render(work, all)
	if err != nil {
		return "", "", err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case name == "dynamo-platform/templates/NOTES.txt":
			notes = files[name]
		case !strings.HasSuffix(name, "NOTES.txt"):
			manifest += files[name]
		}
	}
	return manifest, notes, nil
}

func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func parse(text string) (value any) {
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		panic(err) // a mistake in this file
	}
	return value
}

func collectLeaves(values map[string]any, path string, into map[string]any) {
	for key, value := range values {
		at := strings.TrimPrefix(path+"."+key, ".")
		if below, ok := value.(map[string]any); ok && len(below) > 0 {
			collectLeaves(below, at, into)
			continue
		}
		into[at] = value
	}
}

func set(values map[string]any, path string, value any) {
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		below, ok := values[key].(map[string]any)
		if !ok {
			below = map[string]any{}
			values[key] = below
		}
		values = below
	}
	values[keys[len(keys)-1]] = value
}

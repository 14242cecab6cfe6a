// Package chrek tests the chrek chart as its users meet it: golden files per
// mode, refusals, the agent's rights and configuration, its documents, and
// releases on a real API server.
package chrek

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/images"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/agent"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// modes are the ways in which people install the chart.
var modes = map[string]string{
	"default": `{}`,
	// Another claim, nothing created that an administrator keeps to himself.
	"minimal": `
storage: {pvc: {create: false, name: models, basePath: /models/checkpoints}}
seccomp: {deploy: false}
serviceAccount: {create: false, name: restorer}
rbac: {create: false}
networkPolicy: {enabled: false}
daemonset: {runtimeClassName: "", tolerations: [], nodeSelector: {nvidia.com/gpu.present: null}}
`,
	"mirrored": `
global: {imageRegistry: registry.example.com/mirror, imagePullSecrets: [mirror]}
fullnameOverride: checkpoints
daemonset:
  imagePullSecrets: [{name: own}, {name: mirror}]
  image: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", pullPolicy: Always}
`,
	"everything": `
storage: {pvc: {keep: false, size: 2Ti, storageClass: fast-nfs, accessMode: ReadWriteOnce}}
node: {kubeletRoot: /var/lib/k0s/kubelet}
serviceAccount: {annotations: {example.com/owner: platform}}
daemonset:
  priorityClassName: system-node-critical
  updateStrategy: {type: OnDelete, rollingUpdate: null}
  podLabels: {team: inference}
  podAnnotations: {example.com/scrape: "true"}
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [h100]}]}]}}}
config: {agent: {listenAddr: ":9090", logLevel: debug}}
dashboard: {enabled: true}
`,
	// The key names of later releases of the chart's predecessor.
	"renamed": `
config:
  criu: {tcpClose: false, tcpEstablished: true, ghostLimit: 1073741824}
  overlay: {exclusions: [/proc, "*/.cache/huggingface", "*.pyc"]}
`,
}

// engine has the agent act on pods of another namespace.
const engine = `
engine: {enabled: true}
namespaceRestriction: {targetNamespace: team-a}
`

const namespace = "inference"

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := chart.OpenFS(charts.FS(), "chrek")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func render(t *testing.T, values string) *chart.Rendered {
	t.Helper()
	rendered, err := tryRender(t, "chrek", values)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func tryRender(t *testing.T, release, values string) (*chart.Rendered, error) {
	t.Helper()
	c, overrides := load(t), parse(t, values)
	// The schema is checked as stock Helm does it.
	if _, err := commonutil.ToRenderValues(c.Helm(), overrides, common.ReleaseOptions{}, chart.OfflineCapabilities()); err != nil {
		return nil, err
	}
	return c.Render(chart.Release{Name: release, Namespace: namespace}, overrides, chart.OfflineCapabilities())
}

func parse(t *testing.T, values string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// object finds the only object of a kind and parses it strictly.
func object[T any](t *testing.T, rendered *chart.Rendered, kind string) *T {
	t.Helper()
	for _, o := range rendered.Objects {
		if o.Kind == kind {
			parsed := new(T)
			if err := yaml.UnmarshalStrict([]byte(o.Content), parsed); err != nil {
				t.Fatalf("%s: %v", o, err)
			}
			return parsed
		}
	}
	t.Fatalf("no %s is rendered", kind)
	return nil
}

func container(t *testing.T, rendered *chart.Rendered) corev1.Container {
	t.Helper()
	return object[appsv1.DaemonSet](t, rendered, "DaemonSet").Spec.Template.Spec.Containers[0]
}

func agentConfig(t *testing.T, rendered *chart.Rendered) *config.AgentConfiguration {
	t.Helper()
	cfg, err := config.Parse([]byte(object[corev1.ConfigMap](t, rendered, "ConfigMap").Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestGoldenChrek(t *testing.T) {
	golden := maps.Clone(modes)
	golden["engine"] = engine
	for mode, values := range golden {
		t.Run(mode, func(t *testing.T) {
			got := render(t, values).Manifest
			file := filepath.Join("testdata", "chrek-"+mode+".yaml")
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

func TestRenderingIsPure(t *testing.T) {
	for mode, values := range modes {
		first, second := render(t, values), render(t, values)
		if first.Manifest != second.Manifest {
			t.Errorf("%s: two renderings differ", mode)
		}
		if len(first.Hooks) != 0 {
			t.Errorf("%s: %d hooks, want none", mode, len(first.Hooks))
		}
	}
}

func TestTheDefaultConfigurationIsTheAgentsOwn(t *testing.T) {
	if diff := cmp.Diff(config.Default(), agentConfig(t, render(t, "{}"))); diff != "" {
		t.Errorf("-agent +chart:\n%s", diff)
	}
}

func TestEveryModeIsAcceptedByTheAgent(t *testing.T) {
	for _, values := range modes {
		agentConfig(t, render(t, values))
	}
	if got := agentConfig(t, render(t, engine)).Agent.TargetNamespace; got != "team-a" {
		t.Errorf("the engine serves namespace %q", got)
	}
	renamed := agentConfig(t, render(t, modes["renamed"])).Checkpoint
	if renamed.CRIU.TCPClose || !renamed.CRIU.TCPEstablished || renamed.CRIU.GhostLimit != 1<<30 || !renamed.CRIU.LeaveRunning {
		t.Errorf("config.criu: got %+v", renamed.CRIU)
	}
	want := config.RootfsExclusions{SystemDirs: []string{}, CacheDirs: []string{}, AdditionalExclusions: []string{"./proc", "*/.cache/huggingface", "*.pyc"}}
	if diff := cmp.Diff(want, renamed.RootfsExclusions); diff != "" {
		t.Errorf("config.overlay.exclusions (-want +got):\n%s", diff)
	}
}

func TestTheChartGrantsExactlyWhatTheAgentNeeds(t *testing.T) {
	rendered := render(t, "{}")
	granted := object[rbacv1.Role](t, rendered, "Role").Rules
	if diff := cmp.Diff(agent.Permissions(), granted, cmp.Transformer("length", func(r []rbacv1.PolicyRule) []rbacv1.PolicyRule { return append([]rbacv1.PolicyRule{}, r...) })); diff != "" {
		t.Errorf("rights (-code needs +chart grants):\n%s", diff)
	}
	pod := object[appsv1.DaemonSet](t, rendered, "DaemonSet").Spec.Template.Spec
	if token := *pod.AutomountServiceAccountToken; token != (len(agent.Permissions()) > 0) {
		t.Errorf("token mounted: %v", token)
	}
}

// TestThePodTouchesLittleOfItsNode: what the agent does needs a folder to write
// to and a socket to ask, both of root, and no capability.
func TestThePodTouchesLittleOfItsNode(t *testing.T) {
	for mode, values := range modes {
		rendered := render(t, values)
		pod := object[appsv1.DaemonSet](t, rendered, "DaemonSet").Spec.Template.Spec
		if pod.HostIPC || pod.HostNetwork || pod.HostPID || len(pod.InitContainers) > 0 {
			t.Errorf("%s: hostIPC %v, hostNetwork %v, hostPID %v, %d init containers", mode, pod.HostIPC, pod.HostNetwork, pod.HostPID, len(pod.InitContainers))
		}
		security := pod.Containers[0].SecurityContext
		want := &corev1.SecurityContext{
			ReadOnlyRootFilesystem: new(true), AllowPrivilegeEscalation: new(false),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
		if diff := cmp.Diff(want, security); diff != "" {
			t.Errorf("%s: securityContext (-want +got):\n%s", mode, diff)
		}
		deploys := agentConfig(t, rendered).Seccomp.Deploy
		if asRoot := *pod.SecurityContext.RunAsUser == 0; asRoot != deploys {
			t.Errorf("%s: root %v, and the profile is put there: %v", mode, asRoot, deploys)
		}
		onNode := map[string]string{}
		for _, v := range pod.Volumes {
			if v.HostPath != nil {
				onNode[v.Name] = v.HostPath.Path
			}
		}
		writable := []string{}
		for _, m := range pod.Containers[0].VolumeMounts {
			if path, ofNode := onNode[m.Name]; ofNode && !m.ReadOnly {
				writable = append(writable, path)
			}
		}
		if !deploys {
			if len(onNode) > 0 {
				t.Errorf("%s: mounts %v of the node, for nothing", mode, onNode)
			}
		} else if len(onNode) != 2 || len(writable) != 1 || !strings.HasSuffix(writable[0], "/seccomp/profiles") {
			t.Errorf("%s: of the node it mounts %v and writes to %v", mode, onNode, writable)
		}
	}
	if got := len(object[appsv1.DaemonSet](t, render(t, "{}"), "DaemonSet").Spec.Template.Spec.Tolerations); got != 2 {
		t.Errorf("%d tolerations, want those of the values", got)
	}
}

// The engine gets what CRIU needs and no more, where it is turned on.
func TestTheEngineHasTheCapabilitiesThatItNeeds(t *testing.T) {
	pod := object[appsv1.DaemonSet](t, render(t, engine), "DaemonSet").Spec.Template.Spec
	if !pod.HostPID || pod.HostIPC || pod.HostNetwork || !*pod.AutomountServiceAccountToken {
		t.Errorf("%+v", pod)
	}
	security := pod.Containers[0].SecurityContext
	if security.Privileged != nil || *security.AllowPrivilegeEscalation || !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("%+v", security)
	}
	for _, needed := range []corev1.Capability{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_TIME", "SYS_RESOURCE"} {
		if !slices.Contains(security.Capabilities.Add, needed) {
			t.Errorf("lacks %s", needed)
		}
	}
	for _, unneeded := range []corev1.Capability{"SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "BPF", "ALL"} {
		if slices.Contains(security.Capabilities.Add, unneeded) {
			t.Errorf("has %s", unneeded)
		}
	}
	onNode := map[string]string{}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			onNode[v.Name] = v.HostPath.Path
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if path := onNode[m.Name]; path == "/" || path == "/run/containerd" || path == "/var/lib/containerd" && !m.ReadOnly {
			t.Errorf("mounts %s of the node", path)
		}
	}
}

// Its rights are where the pods are, and those on Leases where it is itself.
func TestTheEngineHasRightsInTwoNamespaces(t *testing.T) {
	granted := map[string][]rbacv1.PolicyRule{}
	for _, o := range render(t, engine).Objects {
		role := &rbacv1.Role{}
		if o.Kind != "Role" {
			if strings.HasPrefix(o.Kind, "Cluster") {
				t.Errorf("%s is of the whole cluster", o)
			}
			continue
		}
		if err := yaml.UnmarshalStrict([]byte(o.Content), role); err != nil {
			t.Fatal(err)
		}
		granted[role.Namespace] = append(granted[role.Namespace], role.Rules...)
	}
	want := map[string][]rbacv1.PolicyRule{"team-a": agent.TargetPermissions(), namespace: agent.OwnPermissions()}
	if diff := cmp.Diff(want, granted); diff != "" {
		t.Errorf("rights (-code needs +chart grants):\n%s", diff)
	}
}

func TestAChangedConfigurationRollsThePods(t *testing.T) {
	checksum := func(values string) string {
		return object[appsv1.DaemonSet](t, render(t, values), "DaemonSet").Spec.Template.Annotations["checksum/config"]
	}
	if checksum("{}") == checksum("config: {checkpoint: {criu: {logLevel: 2}}}") {
		t.Error("another configuration has the same checksum")
	}
}

func TestTheDefaultImageIsTheOneWeBuild(t *testing.T) {
	built, err := images.ByName([]string{"chrek-agent"})
	if err != nil {
		t.Fatal(err)
	}
	if got := container(t, render(t, "{}")).Image; got != built[0].Reference() {
		t.Errorf("got %s, want %s", got, built[0].Reference())
	}
}

func TestReleasesDoNotCollide(t *testing.T) {
	for mode, values := range modes {
		for _, o := range render(t, values).Objects {
			if o.Namespace != namespace || strings.HasPrefix(o.Kind, "Cluster") {
				t.Errorf("%s: %s is outside the release's namespace", mode, o)
			}
		}
	}
	// The longest names that Helm allows, which differ in their last letter.
	long := strings.Repeat("r", 52)
	names := map[string]string{}
	for _, release := range []string{long + "a", long + "b", "chrek", "chrek-2"} {
		rendered, err := tryRender(t, release, "{}")
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range rendered.Objects {
			if len(o.Name) > 63 {
				t.Errorf("%s has %d characters", o, len(o.Name))
			}
			if other := names[o.String()]; other != "" && o.Kind != "PersistentVolumeClaim" {
				t.Errorf("%s belongs to %s and %s", o, other, release)
			}
			names[o.String()] = release
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"object storage":        {`storage: {type: s3}`, "storage of other types is not built yet"},
		"object storage's URI":  {`storage: {s3: {uri: "s3://bucket"}}`, "storage.s3 and storage.oci left empty"},
		"its credentials":       {`storage: {oci: {credentialsSecretRef: registry}}`, "storage.s3 and storage.oci left empty"},
		"http":                  {`config: {agent: {signalSource: http}}`, "without authentication"},
		"several namespaces":    {`rbac: {namespaceRestricted: false}`, "several namespaces is not built yet"},
		"tag in repository":     {`daemonset: {image: {repository: "example.com/agent:1.0"}}`, "/daemonset/image/repository"},
		"digest":                {`daemonset: {image: {digest: "sha256:abc"}}`, "/daemonset/image/digest"},
		"selector label":        {`daemonset: {podLabels: {app.kubernetes.io/name: mine}}`, "the chart sets those"},
		"checksum":              {`daemonset: {podAnnotations: {checksum/config: x}}`, "podAnnotations without checksum/config"},
		"both TCP modes":        {`config: {checkpoint: {criu: {tcpEstablished: true}}}`, "tcpEstablished contradicts tcpClose"},
		"both, renamed":         {`config: {criu: {tcpEstablished: true}}`, "tcpEstablished contradicts tcpClose"},
		"misspelt key":          {`storage: {pvc: {storageClassName: fast}}`, "storageClassName"},
		"misplaced key":         {`pvc: {size: 1Ti}`, "'pvc'"},
		"key of nowhere":        {`daemonset: {criu: {timeout: 1}}`, "'criu'"},
		"signal path":           {`storage: {signalHostPath: /var/lib/chrek/signals}`, "signalHostPath"},
		"access mode":           {`storage: {pvc: {accessMode: RWX}}`, "accessMode"},
		"size without unit":     {`storage: {pvc: {size: 100GB}}`, "size"},
		"relative path":         {`storage: {pvc: {basePath: checkpoints}}`, "basePath"},
		"path upwards":          {`storage: {pvc: {basePath: /a/../etc}}`, "basePath"},
		"wrong type":            {`seccomp: {deploy: "yes"}`, "/seccomp/deploy"},
		"wrong unit":            {`config: {checkpoint: {criu: {timeout: 6h}}}`, "timeout"},
		"ghost limit with unit": {`config: {checkpoint: {criu: {ghostLimit: 512M}}}`, "ghostLimit"},
		"CRIU option":           {`config: {checkpoint: {criu: {tcpclose: false}}}`, "tcpclose"},
		"cgroup mode":           {`config: {checkpoint: {criu: {manageCgroupsMode: none}}}`, "manageCgroupsMode"},
		"exclusion":             {`config: {checkpoint: {rootfsExclusions: {cacheDirs: [/root/.cache]}}}`, "cacheDirs"},
		"listen on one address": {`config: {agent: {listenAddr: "127.0.0.1:8080"}}`, "listenAddr"},
		"capabilities":          {`daemonset: {capabilities: [SYS_ADMIN]}`, "gives the agent exactly those that it needs"},
		"privileged":            {`daemonset: {privileged: false}`, "gives the agent the capabilities that it needs"},
		"containerd":            {`node: {containerdSocket: /run/k3s/containerd/containerd.sock}`, "no business with containerd"},
		"a peer of metrics":     {`podMonitor: {fromNamespaces: [monitoring]}`, "/podMonitor/fromNamespaces"},
		"somebody who connects": {`networkPolicy: {from: [{namespaceSelector: {}}]}`, "only who reads metrics has a reason to connect"},
		"arm64":                 {`daemonset: {nodeSelector: {kubernetes.io/arch: arm64}}`, "kubernetes.io~1arch"},
		"toleration":            {`daemonset: {tolerations: [{key: gpu, efect: NoSchedule}]}`, "efect"},
		"resources":             {`daemonset: {resources: {limit: {cpu: 1}}}`, "'limit'"},
		"memory's unit":         {`daemonset: {resources: {limits: {memory: 4GB}}}`, "memory"},
		"name":                  {`storage: {pvc: {name: Chrek_PVC}}`, "/storage/pvc/name"},
	} {
		_, err := tryRender(t, "chrek", test.values)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error about %q", name, err, test.want)
		}
	}
}

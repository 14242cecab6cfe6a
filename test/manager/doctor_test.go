package manager

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// Each fault is really made, and found: where, below which cause, with a command
// that can be typed. Before that, nothing is found.
func TestTheDoctorFindsWhatIsWrong(t *testing.T) {
	c := cluster.Start(t)
	p := newPatient(t, c)
	p.says(0, "no platform was found")
	fleet := writeFleet(t, "metadata: {name: sick}\nspec:\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: sick}]\n")
	if out, err := wheelhouse(t, c, "apply", "-f", fleet, "--no-wait", "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.running("sick")
	p.says(0, "nothing was found to be wrong. Looked at: sick.")
	p.says(0, "nothing was found to be wrong. Looked at: sick.", "-f", fleet)
	p.says(1, `Error: there is no namespace "nowhere"`, "-n", "nowhere")

	p.harm()
	p.says(1, "which explain", "-f", fleet, "-n", "sick")
	found := p.diagnose("-n", "sick", "-n", "full")
	for _, want := range []struct{ check, at, below string }{
		{"clock-skew", "Lease kube-node-lease/slow", ""},
		{"dns-broken", "Service kube-system/kube-dns", ""},
		{"second-operator", "Role sick/", ""},
		{"crds-older", "CustomResourceDefinition dynamomodels.nvidia.com", ""},
		{"operator-cut-off", "NetworkPolicy sick/closed", ""},
		{"operator-without-rights", "Deployment sick/dynamo-platform-dynamo-operator-controller-manager", ""},
		{"storage-class-missing", "StorageClass fast", ""},
		{"no-default-storage-class", "StorageClass (default)", ""},
		{"claim-pending", "PersistentVolumeClaim sick/data", "storage-class-missing"},
		{"claim-missing", "PersistentVolumeClaim sick/nowhere", ""},
		{"runtime-class-missing", "RuntimeClass none", ""},
		{"no-matching-node", "DaemonSet sick/chrek-agent", ""},
		{"agent-without-capabilities", "DaemonSet sick/chrek-agent", ""},
		{"pods-forbidden", "Deployment strict/open", ""},
		{"quota-exceeded", "ResourceQuota full/small", ""},
		{"workload-not-ready", "Deployment full/large", "quota-exceeded"},
		{"image-not-pulled", "Pod sick/unpulled", ""},
		{"pod-not-ready", "Pod sick/unpulled", "image-not-pulled"},
		{"seccomp-missing", "Pod sick/stored", ""},
		{"nats-without-storage", "StatefulSet sick/nats", ""},
		{"quorum-lost", "StatefulSet sick/etcd", ""},
		{"certificate-expired", "Secret sick/old", ""},
		{"certificate-expired", "ValidatingWebhookConfiguration expired", "certificate-expired"},
		{"certificate-wrong", "ValidatingWebhookConfiguration wrong", ""},
		{"webhook-unanswered", "Service sick/hooks", ""},
		{"release-stuck", "Release sick/stuck", ""},
	} {
		if !slices.ContainsFunc(found, func(f placed) bool {
			return f.Check == want.check && strings.HasPrefix(f.At.String(), want.at) && f.below == want.below
		}) {
			t.Errorf("%s at %s below %q was not found", want.check, want.at, want.below)
		}
	}
	if t.Failed() {
		for _, f := range found {
			t.Logf("%s at %s below %q: %s", f.Check, f.At, f.below, f.Seen)
		}
	}
	for _, f := range found {
		p.follows(f.Next)
	}
}

// Whoever may look at one namespace asks for nothing else, is refused nothing but in
// it, and is told what he may not see.
func TestTheDoctorOfOneNamespace(t *testing.T) {
	c := cluster.Start(t)
	definitions := writeFleet(t, "metadata: {name: central}\nspec: {platforms: []}\n")
	if out, err := wheelhouse(t, c, "apply", "-f", definitions, "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	team := newTeam(t, c, "team")
	team.runs("admin", writeFleet(t, confinedFleet), 0, "1 installed", "apply", "--no-wait", "--yes")
	// Until its controller has looked at a Deployment, nothing is known to be wrong with it.
	cluster.Eventually(t, "the operator's Deployment is looked at", func() error {
		generation, err := c.Kubectl("get", "deployments", "-n", "team", "-o", "jsonpath={.items[*].status.observedGeneration}")
		if err == nil && strings.TrimSpace(generation) == "" {
			err = errors.New("nobody has")
		}
		return err
	})
	for role, hidden := range map[string]string{"admin": "Cluster as a whole: leases of nodes, nodes, ", "view": "Namespace team: leases, records of Helm, role bindings: you may not list them"} {
		began := time.Now()
		out, err := wheelhouse(t, c, "doctor", "-n", "team", "--as", "team-"+role)
		if err == nil || !strings.Contains(out, "the operator has fewer ready pods than it wants") || !strings.Contains(out, "Not looked at") || !strings.Contains(out, hidden) {
			t.Errorf("as %s: %v\n%s", role, err, out)
		}
		team.ran = append(team.ran, ran{"doctor", role, "wheelhouse/", "done", began, time.Now()})
	}
	team.ran = team.ran[1:]
	if out, err := wheelhouse(t, c, "doctor", "--as", "team-view"); err == nil || !strings.Contains(out, "name their namespaces with -n") {
		t.Errorf("%v\n%s", err, out)
	}
	team.audits()
}

// patient is a cluster that the doctor looks at.
type patient struct {
	t    *testing.T
	c    *cluster.Cluster
	kube kubernetes.Interface
}

func newPatient(t *testing.T, c *cluster.Cluster) *patient {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	return &patient{t, c, kube}
}

func (p *patient) says(code int, want string, args ...string) {
	p.t.Helper()
	out, err := wheelhouse(p.t, p.c, append([]string{"doctor"}, args...)...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != code || !strings.Contains(out, want) {
		p.t.Errorf("doctor %v: exit code %d, want %d and %q:\n%s", args, got, code, want, out)
	}
}

// running says of the pods of a namespace that they are ready, as a kubelet would.
func (p *patient) running(namespace string) {
	p.t.Helper()
	cluster.Eventually(p.t, "the operator's Deployment is ready", func() error {
		pods, err := p.kube.CoreV1().Pods(namespace).List(p.t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range pods.Items {
			pods.Items[i].Status.Phase = corev1.PodRunning
			pods.Items[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			if _, err := p.kube.CoreV1().Pods(namespace).UpdateStatus(p.t.Context(), &pods.Items[i], metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
		deployments, err := p.kube.AppsV1().Deployments(namespace).List(p.t.Context(), metav1.ListOptions{})
		if err == nil && (len(deployments.Items) != 1 || deployments.Items[0].Status.ReadyReplicas != 1) {
			err = fmt.Errorf("%d Deployments, not ready", len(deployments.Items))
		}
		return err
	})
}

// placed is a finding, and the check of what it is below.
type placed struct {
	doctor.Finding
	below string
}

func (p *patient) diagnose(args ...string) []placed {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), tools+"/wheelhouse", append([]string{"doctor", "-o", "json", "--kubeconfig", p.c.Kubeconfig}, append(args, "-n", "strict")...)...).Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		p.t.Fatalf("%v\n%s", err, out)
	}
	var d doctor.Diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	var flat func(findings []doctor.Finding, below string) []placed
	flat = func(findings []doctor.Finding, below string) (all []placed) {
		for _, f := range findings {
			all = append(append(all, placed{f, below}), flat(f.Explains, f.Check)...)
		}
		return all
	}
	return flat(d.Findings, "")
}

// follows makes sure that a command is one. What only reads is run; the rest is read
// up to where it would run.
func (p *patient) follows(command doctor.Command) {
	p.t.Helper()
	if command[0] == "wheelhouse" {
		if out, err := wheelhouse(p.t, p.c, append(slices.Clone(command[1:]), "--help")...); err != nil {
			p.t.Errorf("%q: %v\n%s", command, err, out)
		}
		return
	}
	args := slices.Clone(command[1:])
	verb := slices.IndexFunc(args, func(word string) bool { return word == "logs" || word == "exec" })
	if verb >= 0 {
		args = slices.Insert(args, verb+1, "--help")
	}
	if out, err := p.c.Kubectl(args...); err != nil || command[0] != "kubectl" {
		p.t.Errorf("%q: %v\n%s", command, err, out)
	}
}

// harm makes the faults.
func (p *patient) harm() {
	p.t.Helper()
	if err := p.kube.StorageV1().StorageClasses().DeleteCollection(p.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		p.t.Fatal(err)
	}
	put(p.t, p.c, faults)
	p.webhooks()
	for name, status := range map[string]corev1.ContainerStateWaiting{
		"unpulled": {Reason: "ImagePullBackOff", Message: `Back-off pulling image "registry.invalid/none": ErrImagePull: not found`},
		"stored":   {Reason: "CreateContainerError", Message: "cannot load seccomp profile: open /var/lib/kubelet/seccomp/profiles/block-iouring.json: no such file or directory"},
	} {
		pod, err := p.kube.CoreV1().Pods("sick").Get(p.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", Image: "registry.invalid/none", State: corev1.ContainerState{Waiting: &status}}}
		if _, err := p.kube.CoreV1().Pods("sick").UpdateStatus(p.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.kube.RbacV1().RoleBindings("sick").DeleteCollection(p.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=dynamo-operator"}); err != nil {
		p.t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(p.c.Config)
	if err != nil {
		p.t.Fatal(err)
	}
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	patch := []byte(`[{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/baseModelName"}, {"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/required"}]`)
	if _, err := client.Resource(crds).Patch(p.t.Context(), "dynamomodels.nvidia.com", types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		p.t.Fatal(err)
	}
	cluster.Eventually(p.t, "the faults show", func() error {
		for _, want := range []string{"quota-exceeded", "pods-forbidden", "crds-older", "quorum-lost"} {
			if !slices.ContainsFunc(p.diagnose("-n", "sick", "-n", "full"), func(f placed) bool { return f.Check == want }) {
				return errors.New(want)
			}
		}
		return nil
	})
}

// webhooks makes two configurations: one trusts an authority that has expired, with
// its certificate, and one another than the certificate's.
func (p *patient) webhooks() {
	p.t.Helper()
	const year = 365 * 24 * time.Hour
	issue := func(since time.Duration) *certs.Material {
		m, err := certs.Issue("hooks.sick.svc", time.Now().Add(since), year, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		return m
	}
	old, good, other := issue(-2*year), issue(0), issue(0)
	for name, of := range map[string]struct{ served, trusted *certs.Material }{"expired": {old, old}, "wrong": {good, other}} {
		secret := map[string]string{"expired": "old", "wrong": "new"}[name]
		_, err := p.kube.CoreV1().Secrets("sick").Create(p.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}, Data: of.served.Data()}, metav1.CreateOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		put(p.t, p.c, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %s, annotations: {wheelhouse.dev/webhook-certificate: %s}}
webhooks:
  - name: x.sick.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    clientConfig: {service: {name: hooks, namespace: sick}, caBundle: %s}
    rules: [{apiGroups: [nvidia.com], apiVersions: [v1alpha1], operations: [CREATE], resources: [dynamomodels]}]
`, name, secret, base64.StdEncoding.EncodeToString(of.trusted.Bundle())))
	}
}

const faults = `
apiVersion: v1
kind: Namespace
metadata: {name: full}
---
apiVersion: v1
kind: Namespace
metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: full}
spec: {hard: {pods: "0"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: large, namespace: full}
spec:
  selector: {matchLabels: {app: large}}
  template:
    metadata: {labels: {app: large}}
    spec: {containers: [{name: c, image: registry.invalid/none}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: open, namespace: strict}
spec:
  selector: {matchLabels: {app: open}}
  template:
    metadata: {labels: {app: open}}
    spec: {hostPID: true, containers: [{name: c, image: registry.invalid/none}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: sick}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: unnamed, namespace: sick}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: mounts, namespace: sick}
spec:
  containers: [{name: c, image: registry.invalid/none}]
  volumes: [{name: a, persistentVolumeClaim: {claimName: data}}, {name: b, persistentVolumeClaim: {claimName: nowhere}}]
---
apiVersion: v1
kind: Pod
metadata: {name: unpulled, namespace: sick}
spec: {containers: [{name: c, image: registry.invalid/none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: stored, namespace: sick}
spec:
  securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/block-iouring.json}}
  containers: [{name: c, image: registry.invalid/none}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: chrek-agent, namespace: sick, labels: {app.kubernetes.io/part-of: chrek}}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostPID: true
      runtimeClassName: none
      nodeSelector: {nvidia.com/gpu.present: "true"}
      containers: [{name: agent, image: registry.invalid/none, securityContext: {capabilities: {add: [SYS_PTRACE]}}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: nats, namespace: sick, labels: {app.kubernetes.io/name: nats}}
spec:
  serviceName: nats
  selector: {matchLabels: {app: nats}}
  template:
    metadata: {labels: {app: nats}}
    spec: {containers: [{name: c, image: registry.invalid/none}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nats-config, namespace: sick, labels: {app.kubernetes.io/name: nats}}
data: {nats.conf: '{"jetstream": {"max_file_store": 10Gi, "store_dir": "/data"}}'}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: etcd, namespace: sick, labels: {app.kubernetes.io/name: etcd}}
spec:
  serviceName: etcd
  replicas: 3
  selector: {matchLabels: {app: etcd}}
  template:
    metadata: {labels: {app: etcd}}
    spec: {containers: [{name: c, image: registry.invalid/none}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: sick}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: hooks, namespace: sick}
spec: {selector: {app: hooks}, ports: [{port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {selector: {k8s-app: kube-dns}, ports: [{port: 53, protocol: UDP}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: second, labels: {app.kubernetes.io/part-of: dynamo-operator}, annotations: {meta.helm.sh/release-name: second, meta.helm.sh/release-namespace: elsewhere}}
rules: [{apiGroups: [nvidia.com], resources: [dynamocomponentdeployments], verbs: [delete]}]
---
apiVersion: v1
kind: Node
metadata: {name: slow, labels: {kubernetes.io/arch: amd64}}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: slow, namespace: kube-node-lease}
spec: {holderIdentity: slow, leaseDurationSeconds: 40, renewTime: "2026-01-01T00:00:00.000000Z"}
---
apiVersion: v1
kind: Secret
metadata: {name: sh.helm.release.v1.stuck.v2, namespace: sick, labels: {owner: helm, name: stuck, version: "2", status: pending-upgrade, modifiedAt: "1760000000"}}
type: helm.sh/release.v1
`

//go:build e2e && doctor

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
)

// sick is where the faults are made: the namespace of a platform.
const (
	sick     = "team-a-platform"
	operator = "dynamo-platform-dynamo-operator-controller-manager"
)

// fault is something that goes wrong on somebody's cluster.
type fault struct {
	name string
	// check finds it, at a place that begins with at.
	check, at string
	// harm makes it; what it returns mends it.
	harm func(t *testing.T) (mend func())
}

// faults are those that a doctor must know. Whatever of them a node can really have, it has.
var faults = []fault{
	{"a second operator", "second-operator", "Role team-a/", secondOperator},
	{"no node has the GPU label", "no-matching-node", "DaemonSet " + sick + "/chrek-agent", agentWith(`{"spec":{"template":{"spec":{"nodeSelector":{"nvidia.com/gpu.present":"not-here"}}}}}`)},
	{"the runtime class is missing", "runtime-class-missing", "RuntimeClass nvidia-none", agentWith(`{"spec":{"template":{"spec":{"runtimeClassName":"nvidia-none"}}}}`)},
	{"the agent lacks a capability", "agent-without-capabilities", "DaemonSet " + sick + "/chrek-agent", agentWith(`{"spec":{"template":{"spec":{"containers":[{"name":"agent","securityContext":{"capabilities":{"add":["SYS_PTRACE"]}}}]}}}}`)},
	{"a seccomp profile is absent", "seccomp-missing", "Pod " + sick + "/stored", objects(`
apiVersion: v1
kind: Pod
metadata: {name: stored, namespace: team-a-platform}
spec:
  securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/absent.json}}
  containers: [{name: c, image: "` + runtime + `", imagePullPolicy: IfNotPresent}]
`)},
	{"a claim that nobody fills", "claim-pending", "PersistentVolumeClaim " + sick + "/data", objects(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: nobodys}
provisioner: nobody.example.com
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: team-a-platform}
spec: {storageClassName: nobodys, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`)},
	{"the storage class is missing", "storage-class-missing", "StorageClass fast", objects(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: team-a-platform}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`)},
	{"a CRD is older than the operator", "crds-older", "CustomResourceDefinition dynamomodels.nvidia.com", olderDefinition},
	{"a webhook's certificate has expired", "certificate-expired", "Secret " + sick + "/hooks", webhook(-2 * year)},
	{"a webhook trusts another certificate", "certificate-wrong", "ValidatingWebhookConfiguration hooks", webhook(0)},
	{"a release is stuck", "release-stuck", "Release " + sick + "/stuck", stuckRelease},
	{"an image cannot be pulled", "image-not-pulled", "Pod " + sick + "/unpulled", objects(`
apiVersion: v1
kind: Pod
metadata: {name: unpulled, namespace: team-a-platform}
spec: {containers: [{name: c, image: registry.invalid/none:1}]}
`)},
	{"DNS is broken", "dns-broken", "Service kube-system/kube-dns", removed("kube-system", "endpointslice", "kube-dns")},
	{"the operator may not do its work", "operator-without-rights", "Deployment " + sick + "/" + operator, withoutRights},
	{"NATS keeps files without a volume", "nats-without-storage", "StatefulSet " + sick + "/loose-nats", objects(store("loose-nats", "nats", 1, runtime) + `---
apiVersion: v1
kind: ConfigMap
metadata: {name: loose-nats-config, namespace: team-a-platform, labels: {app.kubernetes.io/name: nats}}
data: {nats.conf: '{"jetstream": {"max_file_store": 10Gi, "store_dir": "/data"}}'}
`)},
	{"etcd has lost its quorum", "quorum-lost", "StatefulSet " + sick + "/etcd", objects(store("etcd", "etcd", 3, "registry.invalid/etcd:1"))},
	{"a quota is exhausted", "quota-exceeded", "ResourceQuota " + sick + "/small", objects(`
apiVersion: v1
kind: ResourceQuota
metadata: {name: small, namespace: team-a-platform}
spec: {hard: {pods: "1"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: large, namespace: team-a-platform}
spec:
  selector: {matchLabels: {app: large}}
  template:
    metadata: {labels: {app: large}}
    spec: {containers: [{name: c, image: "` + runtime + `"}]}
`)},
	{"a network policy cuts the operator off", "operator-cut-off", "NetworkPolicy " + sick + "/closed", objects(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: team-a-platform}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}
`)},
	{"the clock of a node's lease is wrong", "clock-skew", "Lease kube-node-lease/slow", objects(`
apiVersion: v1
kind: Node
metadata: {name: slow, labels: {kubernetes.io/arch: amd64}}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: slow, namespace: kube-node-lease}
spec: {holderIdentity: slow, leaseDurationSeconds: 40, renewTime: "2026-01-01T00:00:00.000000Z"}
`)},
}

// TestDoctor makes each fault on a real node, looks, follows what it is told, and mends it:
// a table comes last. Before the first and after the last nothing is wrong.
func TestDoctor(t *testing.T) {
	run(t, "wheelhouse", "deps", "lock", "-f", checkpointsFleet, "--update")
	run(t, "wheelhouse", "apply", "-f", checkpointsFleet, "--yes")
	healthy(t)
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tFINDING\tCAUSE FIRST\tNEXT COMMAND\tTIME")
	for _, f := range faults {
		if !t.Run(f.name, func(t *testing.T) { fmt.Fprintln(table, f.name+"\t"+found(t, f)) }) {
			fmt.Fprintln(table, f.name+"\tNOT FOUND\t\t\t")
		}
	}
	if err := table.Flush(); err != nil {
		t.Error(err)
	}
	healthy(t)
}

func healthy(t *testing.T) {
	t.Helper()
	eventually(t, 3*time.Minute, func() error {
		if d := diagnose(t); !d.Healthy() {
			return fmt.Errorf("%+v", d.Findings)
		}
		return nil
	})
}

// found makes a fault and says how it was found.
func found(t *testing.T, f fault) string {
	mend := f.harm(t)
	defer mend()
	var finding doctor.Finding
	var took time.Duration
	first := false
	eventually(t, 2*time.Minute, func() error {
		began := time.Now()
		d := diagnose(t)
		took = time.Since(began)
		i := slices.IndexFunc(d.Findings, func(is doctor.Finding) bool { return is.Check == f.check && strings.HasPrefix(is.At.String(), f.at) })
		if i < 0 {
			return fmt.Errorf("%s at %s is not among %+v", f.check, f.at, d.Findings)
		}
		finding, first = d.Findings[i], i == 0
		return nil
	})
	if !first {
		t.Errorf("%s at %s is not what is told first", finding.Check, finding.At)
	}
	out, err := exec.CommandContext(t.Context(), finding.Next[0], finding.Next[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v\n%s", finding.Next, err, out)
	}
	return fmt.Sprintf("%s at %s\t%v\t%s\t%.1fs", finding.Check, finding.At, first, strings.Join(finding.Next, " "), took.Seconds())
}

func diagnose(t *testing.T) doctor.Diagnosis {
	t.Helper()
	out, err := command("wheelhouse", "doctor", "-n", sick, "-o", "json")
	var exit *exitError
	if err != nil && (!errors.As(err, &exit) || exit.code != 1) {
		t.Fatal(err)
	}
	var d doctor.Diagnosis
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return d
}

// objects are applied, and deleted to mend it.
func objects(manifests string) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		t.Helper()
		file := filepath.Join(t.TempDir(), "fault.yaml")
		if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "kubectl", "apply", "-f", file)
		return func() { run(t, "kubectl", "delete", "-f", file, "--force", "--grace-period=0", "--ignore-not-found") }
	}
}

// repaired returns to what the fleet file wants.
func repaired(t *testing.T) func() {
	return func() {
		t.Helper()
		run(t, "wheelhouse", "apply", "-f", checkpointsFleet, "--yes", "--drift", "--force-conflicts")
	}
}

// agentWith changes the agents' DaemonSet.
func agentWith(patch string) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		t.Helper()
		before := run(t, "kubectl", "get", "-n", sick, "daemonset/chrek-agent", "-o", "jsonpath={.spec.template.spec}")
		run(t, "kubectl", "patch", "-n", sick, "daemonset/chrek-agent", "--type=strategic", "-p", patch)
		return func() {
			t.Helper()
			run(t, "kubectl", "patch", "-n", sick, "daemonset/chrek-agent", "--type=json", "-p", `[{"op":"replace","path":"/spec/template/spec","value":`+before+`}]`)
			run(t, "kubectl", "rollout", "status", "-n", sick, "daemonset/chrek-agent", "--timeout=120s")
		}
	}
}

// secondOperator installs an operator for the whole cluster past Helm, whose chart would
// refuse.
func secondOperator(t *testing.T) func() {
	t.Helper()
	packages, err := filepath.Glob(filepath.Join(root, "dist/charts/dynamo-platform-*.tgz"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("%v, %v", packages, err)
	}
	rendered := run(t, "helm", "template", "second", "dist/charts/"+filepath.Base(packages[0]), "-n", "second", "--skip-tests",
		"--set", "nats.enabled=false,etcd.enabled=false,dynamo-operator.namespaceRestriction.enabled=false")
	return objects("apiVersion: v1\nkind: Namespace\nmetadata: {name: second}\n---\n" + rendered)(t)
}

// olderDefinition takes a field away that the operator reads.
func olderDefinition(t *testing.T) func() {
	t.Helper()
	const name = "dynamomodels.nvidia.com"
	run(t, "kubectl", "patch", "crd", name, "--type=json", "-p",
		`[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/baseModelName"},{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/required"}]`)
	return repaired(t)
}

// withoutRights takes the operator's roles away.
func withoutRights(t *testing.T) func() {
	t.Helper()
	for namespace := range strings.FieldsSeq("team-a-platform team-a") {
		run(t, "kubectl", "delete", "rolebindings", "-n", namespace, "-l", "app.kubernetes.io/part-of=dynamo-operator")
	}
	return repaired(t)
}

// removed deletes an object and puts it back.
func removed(namespace, kind, name string) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		t.Helper()
		file := filepath.Join(t.TempDir(), "object.json")
		text := run(t, "kubectl", "get", "-n", namespace, kind, name, "-o", "json")
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		metadata, _ := object["metadata"].(map[string]any)
		delete(metadata, "resourceVersion")
		delete(metadata, "uid")
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "kubectl", "delete", "-n", namespace, kind, name)
		return func() { run(t, "kubectl", "create", "-f", file) }
	}
}

// stuckRelease kills helm while it waits for a hook.
func stuckRelease(t *testing.T) func() {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: stuck\nversion: 1.0.0\n",
		"templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: long, annotations: {helm.sh/hook: pre-install}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n" +
			"      containers: [{name: c, image: \"" + runtime + "\", imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "helm", "install", "stuck", dir, "-n", sick, "--wait")
	if err := install.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		_, err := command("kubectl", "wait", "-n", sick, "--for=condition=Ready", "--timeout=1s", "pod", "-l", "job-name=long")
		return err
	})
	if err := install.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = install.Wait()
	// Nobody counts as at work any more when a while has passed.
	run(t, "kubectl", "label", "--overwrite", "-n", sick, "secret", "-l", "owner=helm,name=stuck", "modifiedAt=1760000000")
	return func() {
		run(t, "helm", "uninstall", "stuck", "-n", sick)
		run(t, "kubectl", "delete", "job", "long", "-n", sick, "--force", "--grace-period=0")
	}
}

const year = 365 * 24 * time.Hour

// webhook makes one whose certificate was made a while ago; one made now is served
// where another is trusted.
func webhook(made time.Duration) func(t *testing.T) func() {
	return func(t *testing.T) func() {
		t.Helper()
		issue := func() *certs.Material {
			m, err := certs.Issue("hooks."+sick+".svc", time.Now().Add(made), year, nil)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		served, trusted := issue(), issue()
		if made < 0 {
			trusted = served
		}
		text := "apiVersion: v1\nkind: Secret\nmetadata: {name: hooks, namespace: " + sick + "}\ndata:\n"
		for name, content := range served.Data() {
			text += fmt.Sprintf("  %s: %s\n", name, base64.StdEncoding.EncodeToString(content))
		}
		return objects(text + `---
apiVersion: v1
kind: Service
metadata: {name: hooks, namespace: team-a-platform}
spec: {selector: {control-plane: controller-manager}, ports: [{port: 443}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hooks, annotations: {wheelhouse.dev/webhook-certificate: hooks}}
webhooks:
  - name: x.sick.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    clientConfig: {service: {name: hooks, namespace: team-a-platform}, caBundle: ` + base64.StdEncoding.EncodeToString(trusted.Bundle()) + `}
    rules: [{apiGroups: [nvidia.com], apiVersions: [v1alpha1], operations: [CREATE], resources: [dynamomodels]}]
`)(t)
	}
}

// store is a StatefulSet as a chart of NATS or etcd makes it.
func store(name, of string, replicas int, image string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %[1]s, namespace: team-a-platform, labels: {app.kubernetes.io/name: %[2]s}}
spec:
  serviceName: %[1]s
  replicas: %[3]d
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: c, image: "%[4]s", imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]}
`, name, of, replicas, image)
}

package manager

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// What a cluster has beside the fleet is found whoever put it there, and told.
func TestPlanTellsWhoElseIsThere(t *testing.T) {
	c := cluster.Start(t)
	put(t, c, surroundings)
	fleet := writeFleet(t, `metadata: {name: here}
spec:
  shared: {imagePullSecrets: [registry-credentials]}
  values:
    - platform:
        grove: {enabled: false}
        nats: {enabled: false}
        dynamo-operator:
          natsAddr: nats://nats.messaging.svc:4222
          etcdAddr: etcd.stores.svc.cluster.local:2379
          dynamo: {ingress: {enabled: true, className: nginx, tlsSecretName: site-tls}}
          webhook: {enabled: true, certManager: {enabled: true}}
  platforms: [{namespace: here}]
`)
	out, err := wheelhouse(t, c, "plan", "-f", fleet)
	if err == nil {
		t.Fatalf("accepted:\n%s", out)
	}
	for _, want := range []string{
		"grove - elsewhere Deployment elsewhere/grove-operator",
		"validating webhook - - ValidatingWebhookConfiguration left-behind",
		"ValidatingWebhookConfiguration left-behind refuses every object of our kinds that it is asked about: its Service gone/gone does not exist (delete it if its operator is gone: kubectl delete ValidatingWebhookConfiguration left-behind) [C-23]",
		"platform.dynamo-operator.natsAddr names the Service messaging/nats, which the cluster does not have (correct the address, or install nats there first) [C-15]",
		"platform here/dynamo-platform takes its certificate from cert-manager, but the cluster does not serve cert-manager.io/v1",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%q is missing from:\n%s", want, out)
		}
	}
	if strings.Contains(out, "stores/etcd") || strings.Contains(out, "[C-18]") {
		t.Errorf("the etcd that is there, in the domain that the cluster has, is reported:\n%s", out)
	}
}

// What the editor of a namespace can write looks like an operator and stops
// nothing: it is told, with a way to look at it. A role is proof.
func TestClaimsStopNoRollout(t *testing.T) {
	c := cluster.Start(t)
	put(t, c, decoys)
	fleet := writeFleet(t, `metadata: {name: here}
spec:
  values: [{platform: {nats: {enabled: false}}}]
  platforms: [{namespace: here, scope: cluster}]
`)
	out, err := wheelhouse(t, c, "apply", "-f", fleet, "--no-wait")
	if err != nil {
		t.Fatalf("decoys stopped it: %v\n%s", err, out)
	}
	for _, want := range []string{
		"Deployment default/decoy looks like an operator beside platform here/dynamo-platform", "kubectl -n default get deployment decoy -o yaml",
		"Deployment default/kai-operator looks like kai-scheduler", "[W-29]",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%q is missing from:\n%s", want, out)
		}
	}
	if strings.Contains(out, "[C-20]") || strings.Contains(out, "[C-34]") || strings.Contains(out, "team-b") {
		t.Errorf("a claim changed the verdict about others:\n%s", out)
	}
	if out, err := wheelhouse(t, c, "destroy", "-f", fleet, "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs := writeFleet(t, "metadata: {name: theirs}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: theirs}]}\n")
	if out, err := wheelhouse(t, c, "apply", "-f", theirs, "--no-wait", "--adopt"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = wheelhouse(t, c, "plan", "-f", fleet)
	if err == nil || !strings.Contains(out, "conflicts with release theirs/dynamo-platform (scope namespace, found by Role theirs/") {
		t.Errorf("a proven operator is no obstacle: %v\n%s", err, out)
	}
}

// Who may not list something is told what was not checked, and not stopped by it.
func TestWhatMayNotBeReadIsTold(t *testing.T) {
	c := cluster.Start(t)
	put(t, c, limitedUser)
	fleet := writeFleet(t, "metadata: {name: here}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: here}]}\n")
	out, _ := wheelhouse(t, c, "plan", "-f", fleet, "--as", "limited")
	if !strings.Contains(out, "to create, ") {
		t.Errorf("no plan was made:\n%s", out)
	}
	for _, want := range []string{
		`note: not checked: User "limited" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope [C-20, C-34, W-29]`,
		`note: not checked: User "limited" cannot list resource "validatingwebhookconfigurations" in API group "admissionregistration.k8s.io" at the cluster scope [C-23]`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing from:\n%s", want, out)
		}
	}
}

const surroundings = `
apiVersion: v1
kind: Namespace
metadata: {name: elsewhere}
---
apiVersion: v1
kind: Namespace
metadata: {name: stores}
---
apiVersion: v1
kind: Service
metadata: {name: etcd, namespace: stores}
spec: {ports: [{port: 2379}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data:
  Corefile: |
    .:53 {
        kubernetes cluster.local in-addr.arpa ip6.arpa
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: grove-operator, namespace: elsewhere}
spec:
  selector: {matchLabels: {app: grove}}
  template:
    metadata: {labels: {app: grove}}
    spec: {containers: [{name: grove, image: example.com/grove}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: left-behind}
webhooks:
  - name: vdynamographdeployment.kb.io
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {namespace: gone, name: gone}}
    rules: [{apiGroups: [nvidia.com], apiVersions: [v1alpha1], operations: [CREATE], resources: [dynamographdeployments]}]
`

const limitedUser = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: limited}
rules:
  - apiGroups: ["", apps, apiextensions.k8s.io, coordination.k8s.io, discovery.k8s.io, events.k8s.io, networking.k8s.io, nvidia.com, policy]
    resources: ["*"]
    verbs: ["*"]
  # All that a restricted platform needs, and neither ClusterRoles nor webhooks.
  - {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [get, create, patch]}
  - apiGroups: [rbac.authorization.k8s.io]
    resources: [roles, rolebindings]
    verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: limited}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
`

// put creates objects as another program would.
func put(t *testing.T, c *cluster.Cluster, manifests string) {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Discovery()))
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Create(context.Background(), &object, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatalf("%s: %v", object.GetName(), err)
		}
	}
}

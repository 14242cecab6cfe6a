package operator

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const wideGraph = `
metadata: {name: wide}
spec:
  backendFramework: trtllm
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "registry.example.com/runtime:1"}}}
    Worker:
      componentType: worker
      multinode: {nodeCount: 2}
      resources: {limits: {gpu: "1"}}
      extraPodSpec:
        mainContainer: {image: "registry.example.com/runtime:1", command: [python3, -m, dynamo.trtllm], args: [--tensor-parallel-size, "2"]}
`

// TestPodsOfAGroupGetOneKeyPairPerNamespace, in both ways to run them, and one that
// somebody brought stays.
func TestPodsOfAGroupGetOneKeyPairPerNamespace(t *testing.T) {
	var first string
	t.Run("LeaderWorkerSet", func(t *testing.T) {
		ns := namespace(t)
		shared.StartLeaderWorkerSets(t, adminClient(t))
		operator := start(t, within(ns))
		create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, wideGraph))
		isPair(t, keysOf(t, ns))
		set := &lwsv1.LeaderWorkerSet{}
		get(t, ns, "wide-worker", set)
		cluster.Eventually(t, "the graph runs", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			return reported(t, ns, "wide", isReady)
		})

		first = string(keysOf(t, ns).Data["private.key"])
		before, writes := keysOf(t, ns), operator.writes.Load()
		second := parse[v1alpha1.DynamoGraphDeployment](t, ns, strings.ReplaceAll(wideGraph, "wide", "other"))
		create(t, second)
		get(t, ns, "other-worker", &lwsv1.LeaderWorkerSet{})
		if after := keysOf(t, ns); after.ResourceVersion != before.ResourceVersion || operator.writes.Load() == writes {
			t.Error("a second graph changed the keys of the first")
		}
		saysNothingOf(t, ns, string(before.Data["private.key"]))
	})
	t.Run("Grove", func(t *testing.T) {
		ns := namespace(t)
		cluster.InstallGrove(t, adminClient(t))
		playGrove(t, ns)
		mine := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: render.SSHKeySecret}, StringData: map[string]string{"private.key": "mine", "private.key.pub": "mine"}}
		create(t, mine)
		start(t, throughGrove(ns))
		create(t, parse[v1alpha1.DynamoGraphDeployment](t, ns, wideGraph))
		cluster.Eventually(t, "the graph runs", func() error {
			play(t, ns, func(*corev1.Pod) bool { return true })
			return reported(t, ns, "wide", isReady)
		})
		if got := keysOf(t, ns); string(got.Data["private.key"]) != "mine" || got.Immutable != nil {
			t.Errorf("somebody's own keys became %v", got.ObjectMeta)
		}
		set := &grove.PodCliqueSet{}
		get(t, ns, "wide", set)
		leader := set.Spec.Template.Cliques[1]
		if set.Spec.Template.StartupType != grove.StartupExplicit || len(leader.Spec.StartsAfter) != 1 || leader.Spec.StartsAfter[0] != "worker-wkr" {
			t.Errorf("the leader starts after %v, order %s", leader.Spec.StartsAfter, set.Spec.Template.StartupType)
		}

		if err := adminClient(t).Delete(context.Background(), mine); err != nil {
			t.Fatal(err)
		}
		graph := &v1alpha1.DynamoGraphDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "wide"}}
		change(t, graph, func(d *v1alpha1.DynamoGraphDeployment) { d.Spec.Restart = &v1alpha1.Restart{ID: "1"} })
		isPair(t, keysOf(t, ns))
		if string(keysOf(t, ns).Data["private.key"]) == first {
			t.Error("two namespaces have one key pair")
		}
	})
}

func keysOf(t *testing.T, namespace string) *corev1.Secret {
	t.Helper()
	keys := &corev1.Secret{}
	get(t, namespace, render.SSHKeySecret, keys)
	return keys
}

// isPair: both parts belong together, and nobody changes them.
func isPair(t *testing.T, keys *corev1.Secret) {
	t.Helper()
	signer, err := ssh.ParsePrivateKey(keys.Data["private.key"])
	if err != nil {
		t.Fatal(err)
	}
	if public := string(ssh.MarshalAuthorizedKey(signer.PublicKey())); public != string(keys.Data["private.key.pub"]) {
		t.Errorf("the public key of the private one is %q, that of the Secret %q", public, keys.Data["private.key.pub"])
	}
	if !ptr.Deref(keys.Immutable, false) || keys.OwnerReferences != nil {
		t.Errorf("immutable: %v, owners: %v", keys.Immutable, keys.OwnerReferences)
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"stringData":{"private.key":"x"}}`))
	if err := adminClient(t).Patch(context.Background(), keys, patch); !apierrors.IsInvalid(err) {
		t.Errorf("changing the keys: %v", err)
	}
}

// saysNothingOf looks for a secret in all that the operator says in a namespace.
func saysNothingOf(t *testing.T, namespace, secret string) {
	t.Helper()
	line := strings.Split(strings.TrimSpace(secret), "\n")[1]
	for _, list := range []client.ObjectList{&v1alpha1.DynamoGraphDeploymentList{}, &v1alpha1.DynamoComponentDeploymentList{}, &corev1.EventList{}, &lwsv1.LeaderWorkerSetList{}, &corev1.ConfigMapList{}} {
		if err := adminClient(t).List(context.Background(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(list)
		if err != nil || strings.Contains(string(data), line) {
			t.Errorf("%T has the key: %v", list, err)
		}
	}
}

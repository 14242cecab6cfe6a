package chrek

import (
	"os"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const patience = time.Minute

var server *cluster.Cluster

func TestMain(m *testing.M) { os.Exit(cluster.Main(m, &server)) }

// helm is stock Helm in one namespace of the test cluster.
type helm struct {
	*action.Configuration
	objects   client.Client
	namespace string
}

func helmIn(t *testing.T, namespace string) helm {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &server.Kubeconfig, &namespace
	h := helm{Configuration: action.NewConfiguration(), namespace: namespace}
	if err := h.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.objects, err = client.New(server.Config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h helm) install(t *testing.T, release string, c *chartv2.Chart, values string) {
	t.Helper()
	if err := h.tryInstall(t, release, c, values); err != nil {
		t.Fatal(err)
	}
}

func (h helm) tryInstall(t *testing.T, release string, c *chartv2.Chart, values string) error {
	t.Helper()
	install := action.NewInstall(h.Configuration)
	install.ReleaseName, install.Namespace, install.CreateNamespace = release, h.namespace, true
	install.WaitStrategy, install.Timeout = kube.HookOnlyStrategy, patience // nothing runs pods here
	_, err := install.RunWithContext(t.Context(), c, parse(t, values))
	return err
}

func (h helm) upgrade(t *testing.T, values string) {
	t.Helper()
	upgrade := action.NewUpgrade(h.Configuration)
	upgrade.Namespace = h.namespace
	upgrade.WaitStrategy, upgrade.Timeout = kube.HookOnlyStrategy, patience
	if _, err := upgrade.RunWithContext(t.Context(), "chrek", load(t).Helm(), parse(t, values)); err != nil {
		t.Fatal(err)
	}
}

func (h helm) uninstall(t *testing.T, release string) {
	t.Helper()
	uninstall := action.NewUninstall(h.Configuration)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, patience
	if _, err := uninstall.Run(release); err != nil {
		t.Fatal(err)
	}
}

// claim returns the identity of the checkpoint claim, empty if there is none.
func (h helm) claim(t *testing.T) types.UID {
	t.Helper()
	var claim corev1.PersistentVolumeClaim
	err := h.objects.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: "chrek-pvc"}, &claim)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return claim.UID
}

func TestTheClaimOutlivesItsRelease(t *testing.T) {
	h := helmIn(t, "kept")
	h.install(t, "chrek", load(t).Helm(), "{}")
	original := h.claim(t)
	if original == "" {
		t.Fatal("no claim was created")
	}
	same := func(after string) {
		t.Helper()
		if got := h.claim(t); got != original {
			t.Fatalf("after %s the claim is %q, want %q", after, got, original)
		}
	}

	h.uninstall(t, "chrek")
	same("an uninstall")
	if err := h.tryInstall(t, "another", load(t).Helm(), "{}"); err == nil {
		t.Error("a release of another name took the claim over without being asked to")
	}
	h.install(t, "chrek", load(t).Helm(), "{}")
	same("a new install of the same name")
	h.upgrade(t, "storage: {pvc: {create: false}}")
	same("turning storage.pvc.create off")
	h.upgrade(t, "{}")
	same("turning it on again")
}

func TestTheClaimGoesWithItsReleaseIfToldTo(t *testing.T) {
	h := helmIn(t, "purged")
	h.install(t, "chrek", load(t).Helm(), "{}")
	h.upgrade(t, "storage: {pvc: {keep: false}}")
	h.uninstall(t, "chrek")
	if left := h.claim(t); left != "" {
		t.Errorf("claim %s is left", left)
	}
}

// TestEveryModeIsAcceptedByTheServer also shows that releases in different
// namespaces, and two in one, do not meet.
func TestEveryModeIsAcceptedByTheServer(t *testing.T) {
	for mode, values := range modes {
		t.Run(mode, func(t *testing.T) {
			h := helmIn(t, "mode-"+mode)
			h.install(t, "chrek", load(t).Helm(), values)
			h.install(t, "second", load(t).Helm(), `{storage: {pvc: {name: second}}, fullnameOverride: second}`)
		})
	}
}

// predecessor is what matters of the chart before: same names and selector,
// and a claim that nothing protects.
const predecessor = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: chrek-pvc, namespace: {{ .Release.Namespace }}}
spec:
  accessModes: [ReadWriteMany]
  resources: {requests: {storage: 100Gi}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: chrek-agent, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: checkpoint-agent, app.kubernetes.io/instance: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app.kubernetes.io/name: checkpoint-agent, app.kubernetes.io/instance: {{ .Release.Name }}}}
    spec:
      hostNetwork: true
      hostIPC: true
      containers:
        - name: agent
          image: example.com/chrek-agent:latest
          securityContext: {privileged: true}
`

func TestAReleaseOfThePredecessorIsUpgradedInPlaceAndItsClaimProtected(t *testing.T) {
	h := helmIn(t, "predecessor")
	h.install(t, "chrek", &chartv2.Chart{
		Metadata:  &chartv2.Metadata{APIVersion: "v2", Name: "chrek", Version: "0.1.0"},
		Templates: []*common.File{{Name: "templates/all.yaml", Data: []byte(predecessor)}},
	}, "{}")
	original := h.claim(t)
	h.upgrade(t, "{}")
	var upgraded appsv1.DaemonSet
	if err := h.objects.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: "chrek-agent"}, &upgraded); err != nil {
		t.Fatal(err)
	}
	pod := upgraded.Spec.Template.Spec
	if pod.HostNetwork || pod.HostIPC || pod.Containers[0].SecurityContext.Privileged != nil {
		t.Errorf("privileges were left over: %+v", pod)
	}
	h.uninstall(t, "chrek")
	if got := h.claim(t); got == "" || got != original {
		t.Errorf("the claim is %q, want %q", got, original)
	}
}

// TestWithoutTheProfileTheAgentRunsWhereRestrictedIsEnforced asks the API server
// that enforces it.
func TestWithoutTheProfileTheAgentRunsWhereRestrictedIsEnforced(t *testing.T) {
	h := helmIn(t, "restricted")
	enforced := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if err := h.objects.Create(t.Context(), enforced); err != nil {
		t.Fatal(err)
	}
	for values, admitted := range map[string]bool{"{}": false, "seccomp: {deploy: false}": true} {
		template := object[appsv1.DaemonSet](t, render(t, values), "DaemonSet").Spec.Template
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, GenerateName: "agent-"}, Spec: template.Spec}
		// The chart's own account and the node's runtime are not there.
		pod.Spec.ServiceAccountName, pod.Spec.RuntimeClassName = "default", nil
		err := h.objects.Create(t.Context(), pod, client.DryRunAll)
		if (err == nil) != admitted || err != nil && !strings.Contains(err.Error(), "hostPath") {
			t.Errorf("%s: got %v, want admitted: %v", values, err, admitted)
		}
	}
}

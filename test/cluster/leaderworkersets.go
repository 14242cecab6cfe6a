package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
)

// lwsModule holds the version of LeaderWorkerSet, whose controller is built
// from it, and gangsModule a later one, with the types of Volcano's PodGroups.
const (
	lwsModule   = "test/thirdparty/lws"
	gangsModule = "test/thirdparty/gangs"
)

// LeaderWorkerSets are the API of LeaderWorkerSet with its own controller and
// webhooks, beside a cluster.
type LeaderWorkerSets struct {
	client     client.Client
	module     string
	gangs      string // part of the configuration
	definition *apiextensionsv1.CustomResourceDefinition
	podGroups  *apiextensionsv1.CustomResourceDefinition
	webhooks   []client.Object
	controller *exec.Cmd
	log        *os.File
	// address is where the webhooks answer.
	address string
}

// StartLeaderWorkerSets brings LeaderWorkerSet up until the test ends, or until
// Remove. The client's scheme must know CRDs and webhook configurations.
func (c *Cluster) StartLeaderWorkerSets(t testing.TB, admin client.Client) *LeaderWorkerSets {
	t.Helper()
	l := &LeaderWorkerSets{client: admin, module: lwsModule}
	l.start(t, c)
	return l
}

// StartGangs brings up a LeaderWorkerSet that makes a PodGroup of Volcano for each
// group, and the API of these.
func (c *Cluster) StartGangs(t testing.TB, admin client.Client) *LeaderWorkerSets {
	t.Helper()
	l := &LeaderWorkerSets{client: admin, module: gangsModule, gangs: "gangSchedulingManagement: {schedulerProvider: volcano}\n"}
	for definition := range strings.SplitSeq(inModule(t, gangsModule, "go", "tool", "controller-gen", "crd", "paths=volcano.sh/apis/pkg/apis/scheduling/v1beta1", "output:crd:stdout"), "\n---\n") {
		if strings.Contains(definition, "name: podgroups.") {
			var err error
			if l.podGroups, err = InstallDefinition(admin, []byte(definition)); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.start(t, c)
	return l
}

func (l *LeaderWorkerSets) start(t testing.TB, c *Cluster) {
	t.Helper()
	leaving.Delete("leaderworkersets")
	t.Cleanup(func() { l.Remove(t) })
	folder := ModuleFolder(t, l.module, "sigs.k8s.io/lws")
	data, err := os.ReadFile(filepath.Join(folder, "config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// Before the API, or sets could be written that nobody has looked at.
	l.serve(t, c)
	if l.definition, err = InstallDefinition(l.client, data); err != nil {
		t.Fatal(err)
	}
	l.run(t)
}

// Remove takes the API away, with all its objects, and stops the controller.
func (l *LeaderWorkerSets) Remove(t testing.TB) {
	t.Helper()
	if l.definition == nil {
		return
	}
	leaving.Store("leaderworkersets", true)
	objects := slices.Concat(l.webhooks, []client.Object{l.definition})
	if l.podGroups != nil {
		objects = append(objects, l.podGroups)
	}
	for _, object := range objects {
		if err := l.client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	Eventually(t, "the API of LeaderWorkerSet is gone", func() error {
		err := l.client.Get(context.Background(), client.ObjectKeyFromObject(l.definition), l.definition)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	l.definition = nil
	_ = l.controller.Process.Kill()
	_ = l.controller.Wait()
}

// serve prepares the webhooks: their certificate and their configurations.
func (l *LeaderWorkerSets) serve(t testing.TB, c *Cluster) {
	t.Helper()
	const host = "localhost"
	material, err := certs.Issue(host, time.Now(), 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, port, err := net.SplitHostPort(FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range material.Data() {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configuration := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`apiVersion: config.lws.x-k8s.io/v1alpha1
kind: Configuration
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
webhook: {host: 127.0.0.1, port: %s, certDir: %s}
health: {healthProbeBindAddress: "0"}
metrics: {bindAddress: "0"}
%s`, port, dir, l.gangs)
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l.address = net.JoinHostPort(host, port)
	l.configure(t, "https://"+l.address, material.Bundle())

	binary := filepath.Join(dir, "lws")
	inModule(t, l.module, "go", "build", "-o", binary, "sigs.k8s.io/lws/cmd")
	l.controller = exec.CommandContext(context.Background(), binary, "--config", configuration, "--leader-elect=false", "--kubeconfig", c.Kubeconfig)
	if l.log, err = os.Create(filepath.Join(dir, "controller.log")); err != nil {
		t.Fatal(err)
	}
	l.controller.Stdout, l.controller.Stderr = l.log, l.log
}

func (l *LeaderWorkerSets) configure(t testing.TB, address string, bundle []byte) {
	t.Helper()
	at := func(path string) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{URL: ptr.To(address + path), CABundle: bundle}
	}
	on := func(group, resource string, operations ...admissionv1.OperationType) []admissionv1.RuleWithOperations {
		return []admissionv1.RuleWithOperations{{
			Operations: operations,
			Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
		}}
	}
	sets := on("leaderworkerset.x-k8s.io", "leaderworkersets", admissionv1.Create, admissionv1.Update)
	none := ptr.To(admissionv1.SideEffectClassNone)
	l.webhooks = []client.Object{
		&admissionv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "lws-mutating-webhook-configuration"},
			Webhooks: []admissionv1.MutatingWebhook{
				{Name: "mleaderworkerset.kb.io", ClientConfig: at("/mutate-leaderworkerset-x-k8s-io-v1-leaderworkerset"), Rules: sets, SideEffects: none, AdmissionReviewVersions: []string{"v1"}},
				{Name: "mpod.kb.io", ClientConfig: at("/mutate--v1-pod"), Rules: on("", "pods", admissionv1.Create), SideEffects: none, AdmissionReviewVersions: []string{"v1"},
					ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "leaderworkerset.sigs.k8s.io/name", Operator: metav1.LabelSelectorOpExists}}}},
			},
		},
		&admissionv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "lws-validating-webhook-configuration"},
			Webhooks: []admissionv1.ValidatingWebhook{
				{Name: "vleaderworkerset.kb.io", ClientConfig: at("/validate-leaderworkerset-x-k8s-io-v1-leaderworkerset"), Rules: sets, SideEffects: none, AdmissionReviewVersions: []string{"v1"}},
			},
		},
	}
	for _, object := range l.webhooks {
		if err := l.client.Create(context.Background(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *LeaderWorkerSets) run(t testing.TB) {
	t.Helper()
	if err := l.controller.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(l.log.Name())
			t.Logf("the controller of LeaderWorkerSet says:\n%s", text[max(0, len(text)-4000):])
		}
	})
	// Until then, nobody can write a set.
	Eventually(t, "the webhooks of LeaderWorkerSet answer", func() error {
		connection, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.address)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

package webhook

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// TestWhatQueriesAskForIsServed finds every series of the chart's alerts and
// dashboard, with its labels, at the operator's /metrics.
func TestWhatQueriesAskForIsServed(t *testing.T) {
	asked, err := os.ReadFile("testdata/asked.txt")
	if err != nil {
		t.Fatal(err)
	}
	metrics := cluster.FreeAddress(t)
	i := install(t, `{}`)
	i.startReady(t, func(cfg *config.OperatorConfiguration) { cfg.Server.Metrics = config.Metrics{BindAddress: metrics} })

	// A graph whose Deployments nobody can make is an error that is tried again.
	ns := cluster.Namespace(t, adminClient(t))
	unreachable(t, ns)
	refused(t, tryOut(t, object(t, ns, badGraph)), reason)
	if err := adminClient(t).Create(t.Context(), object(t, ns, goodGraph)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(asked)) {
		name, labels, _ := strings.Cut(strings.TrimSpace(line), " ")
		cluster.Eventually(t, name, func() error {
			page, err := cluster.Fetch("http://" + metrics + "/metrics")
			if err == nil && !serves(page, name, strings.Split(labels, ",")) {
				err = fmt.Errorf("no series %s with labels %s", name, labels)
			}
			return err
		})
	}
}

// serves reports whether a page has a series with these labels.
func serves(page, name string, labels []string) bool {
	for line := range strings.Lines(page) {
		series, found := strings.CutPrefix(line, name)
		if !found || series[0] != '{' && series[0] != ' ' {
			continue
		}
		all := true
		for _, label := range labels {
			all = all && (label == "" || strings.Contains(series, "{"+label+`="`) || strings.Contains(series, ","+label+`="`))
		}
		if all {
			return true
		}
	}
	return false
}

// unreachable has Deployments of a namespace judged by a server that is not there.
func unreachable(t *testing.T, namespace string) {
	t.Helper()
	nowhere := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "unreachable-" + namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "unreachable.example.com",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: ptr.To("https://127.0.0.1:1/")},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}},
		}},
	}
	if err := adminClient(t).Create(t.Context(), nowhere); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := adminClient(t).Delete(context.Background(), nowhere); err != nil {
			t.Error(err)
		}
	})
}

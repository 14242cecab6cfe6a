package operator

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	ns := namespace(t)
	address := cluster.FreeAddress(t)
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Server.Metrics = config.Metrics{BindAddress: address, Secure: true}
	})
	scraper := token(t, ns, "scraper")
	stranger := token(t, ns, "stranger")
	create(t, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: ns + "-scraper"},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns + "-scraper"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: ns, Name: "scraper"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: ns + "-scraper"},
	})
	for _, tc := range []struct {
		who, token string
		want       int
	}{{"nobody", "", http.StatusUnauthorized}, {"a stranger", stranger, http.StatusForbidden}, {"the scraper", scraper, http.StatusOK}} {
		cluster.Eventually(t, tc.who+" asks for metrics", func() error {
			got, err := scrape(address, tc.token)
			if err == nil && got != tc.want {
				err = fmt.Errorf("status %d, want %d", got, tc.want)
			}
			return err
		})
	}
}

// The numbers are those of the objects that there are, and of what was done.
func TestMetricsSayWhatThereIs(t *testing.T) {
	ns := namespace(t)
	address := cluster.FreeAddress(t)
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Server.Metrics = config.Metrics{BindAddress: address}
	})
	chatGraph(t, ns)
	wrong := parse[v1alpha1.DynamoGraphDeployment](t, ns, strings.ReplaceAll(chat, "name: chat", "name: wrong"))
	wrong.Spec.Services["Worker"].ComponentType = "wroker"
	create(t, wrong)
	create(t, parse[v1alpha1.DynamoModel](t, ns, loraModel))
	for _, line := range []string{
		`dynamo_operator_resources_total{namespace="NS",resource_type="DynamoGraphDeployment",status="pending"} 1`,
		`dynamo_operator_resources_total{namespace="NS",resource_type="DynamoGraphDeployment",status="failed"} 1`,
		`dynamo_operator_resources_by_reason{namespace="NS",reason="ValidationFailed",resource_type="DynamoGraphDeployment",status="failed"} 1`,
		`dynamo_operator_resources_total{namespace="NS",resource_type="DynamoComponentDeployment",status="not_ready"} 2`,
		`dynamo_operator_resources_by_reason{namespace="NS",reason="NoEndpoints",resource_type="DynamoModel",status="not_ready"} 1`,
		`dynamo_operator_reconcile_total{namespace="NS",resource_type="DynamoGraphDeployment",result="success"} `,
		`dynamo_operator_reconcile_duration_seconds_count{namespace="NS",resource_type="DynamoGraphDeployment",result="success"} `,
	} {
		cluster.Eventually(t, line, func() error {
			text, err := cluster.Fetch("http://" + address + "/metrics")
			if want := strings.ReplaceAll(line, "NS", ns); err == nil && !strings.Contains(text, "\n"+want) {
				err = fmt.Errorf("no line %s", want)
			}
			return err
		})
	}
}

func token(t *testing.T, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	create(t, account)
	request := &authenticationv1.TokenRequest{}
	if err := adminClient(t).SubResource("token").Create(context.Background(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

func scrape(address, token string) (int, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+address+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The certificate is self-signed unless one is mounted.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestProfilesAreServedOnRequest(t *testing.T) {
	ns := namespace(t)
	address := cluster.FreeAddress(t)
	start(t, func(cfg *config.OperatorConfiguration) {
		within(ns)(cfg)
		cfg.Server.Profile.BindAddress = address
	})
	cluster.Eventually(t, "a profile of the memory", func() error {
		_, err := cluster.Fetch("http://" + address + "/debug/pprof/heap")
		return err
	})
}

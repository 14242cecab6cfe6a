//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// metricsServer stands in for the one that clusters have: the aggregated API of
// what pods use, in which each uses so many thousandths of a core. It is asked by
// Kubernetes' own autoscaler, through its own API server.
func metricsServer(t *testing.T) (use *atomic.Int64) {
	t.Helper()
	use = &atomic.Int64{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1", "resources": []any{
			map[string]any{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": []string{"get", "list"}},
		}})
	})
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", func(w http.ResponseWriter, r *http.Request) {
		out, err := command("kubectl", "get", "pods", "-n", r.PathValue("namespace"), "-l", r.URL.Query().Get("labelSelector"), "-o", "json")
		var pods struct {
			Items []struct {
				Metadata map[string]any
				Spec     struct{ Containers []struct{ Name string } }
			}
		}
		if err == nil {
			err = json.Unmarshal([]byte(out), &pods)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		items := []any{}
		for _, pod := range pods.Items {
			var containers []any
			for _, c := range pod.Spec.Containers {
				containers = append(containers, map[string]any{"name": c.Name, "usage": map[string]string{"cpu": fmt.Sprintf("%dm", use.Load()), "memory": "64Mi"}})
			}
			items = append(items, map[string]any{
				"metadata":  map[string]any{"name": pod.Metadata["name"], "namespace": pod.Metadata["namespace"]},
				"timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s", "containers": containers,
			})
		}
		answer(w, map[string]any{"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": map[string]any{}, "items": items})
	})
	// Not on the loopback, which the node does not reach.
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(besideNode(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	server.StartTLS()
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "metrics.yaml")
	manifest := fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec: {type: ExternalName, externalName: %s}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec: {group: metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {name: metrics-server, namespace: kube-system, port: %s}}
`, host, port)
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "kubectl", "apply", "--server-side", "-f", file)
	// An API that is there and does not answer would keep namespaces from ending.
	t.Cleanup(func() { _, _ = command("kubectl", "delete", "-f", file) })
	run(t, "kubectl", "wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io", "--timeout=60s")
	return use
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the API server may have hung up
}

// besideNode is the address of this machine in the network of the node.
func besideNode(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(context.Background(), "udp", server.Host) // sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).IP.String()
}

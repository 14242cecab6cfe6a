package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	converterPods        = "app.kubernetes.io/name=dynamo-conversion"
	converterService     = "dynamo-conversion"
	converterCertificate = "dynamo-conversion-certificate"
)

// node stands in for the nodes that the cluster has not, and runs the pods that
// convert: they are ready once their certificate is there, and as long as one of
// them is, this process answers for it, with its certificate and its code. It does so
// where the charts lead to: copies of the real ones whose Service is this machine.
type node struct {
	client kubernetes.Interface
	charts string
	server *http.Server
	stop   func()

	mutex sync.Mutex
	// certificates are what pods have mounted, by namespace.
	certificates map[string]*tls.Certificate
}

func startNode(h *harness) (*node, error) {
	n := &node{charts: filepath.Join(h.dir, "charts"), certificates: map[string]*tls.Certificate{}}
	var err error
	if n.client, err = kubernetes.NewForConfig(h.cluster.Config); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n.server = &http.Server{
		Handler: http.HandlerFunc(cluster.Convert), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{GetCertificate: n.certificate, MinVersion: tls.VersionTLS12}, ErrorLog: silent,
	}
	// Whether a pod is there is asked for each connection, so for each request.
	n.server.SetKeepAlivesEnabled(false)
	go func() { _ = n.server.ServeTLS(listener, "", "") }()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.run(ctx) })
	n.stop = func() {
		cancel()
		running.Wait()
		_ = n.server.Close()
	}
	return n, n.copyCharts(listener.Addr().(*net.TCPAddr).Port)
}

// copyCharts copies the charts, led to a port of this machine.
func (n *node) copyCharts(port int) error {
	for _, change := range []struct{ chart, file, from, to string }{
		{"conversion", "templates/service.yaml", "\nspec:\n  selector:", "\nspec:\n  type: ExternalName\n  externalName: 127.0.0.1\n  selector:"},
		{"crds", "templates/_helpers.tpl", "port: 443", fmt.Sprintf("port: %d", port)},
	} {
		original, err := fs.Sub(charts.FS(), change.chart)
		if err != nil {
			return err
		}
		folder := filepath.Join(n.charts, change.chart)
		if err := os.CopyFS(folder, original); err != nil {
			return err
		}
		file := filepath.Join(folder, change.file)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Count(string(text), change.from) != 1 {
			return fmt.Errorf("chart %s: %s does not have %q once", change.chart, change.file, change.from)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), change.from, change.to, 1)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// run makes pods ready until ctx ends. What fails is tried again.
func (n *node) run(ctx context.Context) {
	for ctx.Err() == nil {
		pods, err := n.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: converterPods})
		for i := 0; err == nil && i < len(pods.Items); i++ {
			if pod := &pods.Items[i]; !ready(pod) && n.mount(ctx, pod.Namespace) == nil {
				pod.Status.Phase = corev1.PodRunning
				pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
					Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
				})
				_, _ = n.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
			}
		}
		pause(ctx)
	}
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// mount reads the certificate of a namespace. As on a node, what was mounted stays
// when the Secret goes.
func (n *node) mount(ctx context.Context, namespace string) error {
	secret, err := n.client.CoreV1().Secrets(namespace).Get(ctx, converterCertificate, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.certificates[namespace] = &pair
	return nil
}

// certificate is that of the Service which a connection is for, if a pod of it is ready.
func (n *node) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	namespace, isService := strings.CutPrefix(strings.TrimSuffix(hello.ServerName, ".svc"), converterService+".")
	if !isService {
		return nil, fmt.Errorf("nobody is called %q", hello.ServerName)
	}
	pods, err := n.client.CoreV1().Pods(namespace).List(hello.Context(), metav1.ListOptions{LabelSelector: converterPods})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if ready(&pods.Items[i]) {
			missing := n.mount(hello.Context(), namespace)
			n.mutex.Lock()
			defer n.mutex.Unlock()
			if mounted := n.certificates[namespace]; mounted != nil {
				return mounted, nil
			}
			return nil, missing
		}
	}
	return nil, errors.New(cmp.Or(namespace, "no namespace") + " has no pod that is ready")
}

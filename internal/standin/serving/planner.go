package serving

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// plan is what a planner of the stand-in has been told to find out: how many
// replicas a service should have, by STANDIN_PLAN=SERVICE=REPLICAS.
type plan struct {
	// adapter is that of the service, in the planner's graph.
	adapter, namespace string
	replicas           int32
}

var adapters = schema.GroupVersionResource{Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamographdeploymentscalingadapters"}

// planOf is nil for a planner that plans nothing.
func planOf(getenv func(string) string) (*plan, error) {
	text := getenv("STANDIN_PLAN")
	if text == "" {
		return nil, nil
	}
	service, number, _ := strings.Cut(text, "=")
	replicas, err := strconv.ParseInt(number, 10, 32)
	graph := getenv("DYN_PARENT_DGD_K8S_NAME")
	if err != nil || service == "" || graph == "" {
		return nil, fmt.Errorf("STANDIN_PLAN is %q for graph %q: write SERVICE=REPLICAS, on a service of a graph", text, graph)
	}
	return &plan{adapter: graph + "-" + strings.ToLower(service), namespace: getenv("DYN_PARENT_DGD_K8S_NAMESPACE"), replicas: int32(replicas)}, nil
}

// carryOut scales as the real planner does, through the adapter's scale, and tries
// until it is let.
func (p *plan) carryOut(ctx context.Context, objects dynamic.Interface, log *slog.Logger) {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, p.replicas)
	for {
		_, err := objects.Resource(adapters).Namespace(p.namespace).Patch(ctx, p.adapter, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
		if err == nil {
			log.Info("planned", "adapter", p.adapter, "replicas", p.replicas)
			return
		}
		log.Warn("the plan cannot be carried out, will try again", "adapter", p.adapter, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(joinRetry):
		}
	}
}

func runPlanner(ctx context.Context, c Config, getenv func(string) string, log *slog.Logger) error {
	plan, err := planOf(getenv)
	if err != nil {
		return err
	}
	if plan != nil {
		config, err := rest.InClusterConfig()
		if err != nil {
			return fmt.Errorf("find the API server from inside the pod: %w", err)
		}
		objects, err := dynamic.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("connect to the API server: %w", err)
		}
		go plan.carryOut(ctx, objects, log)
	}
	registry := prometheus.NewRegistry()
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "planner_standin_up", Help: "1 while the stand-in planner runs; it plans only what it is told."})
	registry.MustRegister(up)
	up.Set(1)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return serve(ctx, log, "metrics", listenAddress(c.MetricsPort), mux)
}

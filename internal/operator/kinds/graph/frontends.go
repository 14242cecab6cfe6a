package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/podhttp"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const (
	// healthTimeout is short, because a look at the graph waits for it.
	healthTimeout = time.Second
	// healthTries is how often a frontend is asked that does not answer: a busy one
	// may be late once.
	healthTries = 3
	// askFrontendsAgain is how often frontends are asked that miss workers.
	askFrontendsAgain = 2 * time.Second
)

// missed says which frontend would miss the workers of an earlier spec, as long
// as such serve. A frontend that cannot tell what it sees misses nothing.
func (l *life) missed(ctx context.Context, services map[string]pathway.Service) (string, error) {
	serving := false
	for _, service := range services {
		serving = serving || service.Former > 0
	}
	if !serving {
		return "", nil
	}
	for _, service := range services {
		if service.Former > 0 && !service.Formed {
			return "the other workers of the present spec are not ready", nil // nobody can see them
		}
	}
	var frontends corev1.PodList
	err := l.Client.List(ctx, &frontends, client.InNamespace(l.dgd.Namespace), client.MatchingLabels{v1alpha1.LabelGraphDeploymentName: l.dgd.Name})
	if err != nil {
		return "", fmt.Errorf("list the frontends of graph %s/%s: %w", l.dgd.Namespace, l.dgd.Name, err)
	}
	slices.SortFunc(frontends.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	answers := make([]string, len(frontends.Items))
	var asked sync.WaitGroup
	for i, pod := range frontends.Items {
		if podhttp.Frontend(pod) != "" && podhttp.IsReady(pod) && pod.DeletionTimestamp == nil && pod.Status.PodIP != "" {
			asked.Go(func() { answers[i] = l.missedBy(ctx, pod) })
		}
	}
	asked.Wait()
	why := cmp.Or(answers...)
	if why != "" {
		l.LookAgain(askFrontendsAgain)
	}
	return why, nil
}

// missedBy asks one frontend whether it sees as many workers of the present spec as
// there are: one that is ready has registered itself.
func (l *life) missedBy(ctx context.Context, frontend corev1.Pod) string {
	var health struct {
		Instances *[]struct {
			Namespace string `json:"namespace"`
			ID        uint64 `json:"instance_id"`
		} `json:"instances"`
	}
	var err error
	for range healthTries {
		err = podhttp.Call(ctx, healthTimeout, http.MethodGet, podhttp.Frontend(frontend)+"/health", nil, &health)
		if err == nil || errors.Is(err, podhttp.ErrUnknown) {
			break
		}
	}
	if err != nil || health.Instances == nil {
		return ""
	}
	namespace, workers := l.presentWorkers()
	seen := map[uint64]bool{}
	for _, instance := range *health.Instances {
		if instance.Namespace == namespace {
			seen[instance.ID] = true
		}
	}
	if len(seen) < workers {
		return fmt.Sprintf("frontend %s sees %d of the %d workers of the present spec", frontend.Name, len(seen), workers)
	}
	return ""
}

// presentWorkers are how many there are to be, in which logical namespace.
func (l *life) presentWorkers() (namespace string, n int) {
	for _, service := range l.scaled.Spec.Services {
		if render.IsWorker(service) {
			namespace = render.GenerationNamespace(render.LogicalNamespace(l.dgd, service), render.WorkerHash(l.dgd, render.Current))
			n += int(service.DesiredReplicas())
		}
	}
	return namespace, n
}

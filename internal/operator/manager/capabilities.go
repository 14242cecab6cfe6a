package manager

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// lookAgain is how often the API server is asked which APIs it has. The answer
// is one document that it keeps ready; to be told of definitions instead needs
// a right on the cluster, which a restricted operator has not got.
const lookAgain = 10 * time.Second

// capabilities follow what the cluster has of what the operator can use.
type capabilities struct {
	discovery discovery.DiscoveryInterface
	config    *config.OperatorConfiguration
	logger    logr.Logger

	known atomic.Pointer[render.Capabilities]
	// changed has an item after a change.
	changed chan struct{}
}

// newCapabilities looks for the first time, and complains about what the
// configuration turns on and the cluster has not got.
func newCapabilities(restConfig *rest.Config, cfg *config.OperatorConfiguration, logger logr.Logger) (*capabilities, error) {
	client, err := discovery.NewDiscoveryClientForConfig(restConfig)
	if err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	c := &capabilities{discovery: client, config: cfg, logger: logger, changed: make(chan struct{}, 1)}
	has, err := c.groups()
	if err != nil {
		return nil, err
	}
	if !has[v1alpha1.GroupName] {
		return nil, fmt.Errorf("the cluster does not know the kinds of %s: install the chart dynamo-crds first", v1alpha1.GroupName)
	}
	c.complain(has)
	found, err := c.of(has)
	c.known.Store(found)
	return c, err
}

func (c *capabilities) now() render.Capabilities { return *c.known.Load() }

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica
// answers webhooks, whose warnings follow from what the cluster has.
func (c *capabilities) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (c *capabilities) Start(ctx context.Context) error {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.look()
		}
	}
}

// look believes what it knows as long as the API server does not answer.
func (c *capabilities) look() {
	has, err := c.groups()
	var found *render.Capabilities
	if err == nil {
		found, err = c.of(has)
	}
	if err != nil {
		c.logger.Error(err, "what the cluster has stays as last seen")
		return
	}
	if *found == c.now() {
		return
	}
	c.known.Store(found)
	c.logger.Info("the cluster has other APIs than before", "leaderWorkerSets", found.LeaderWorkerSets, "volcano", found.Volcano, "grove", found.Grove, "kai", found.KAI, "virtualServices", found.VirtualServices, "httpRoutes", found.HTTPRoutes, "inferencePools", found.InferencePools)
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *capabilities) of(has map[string]bool) (*render.Capabilities, error) {
	orchestrators := c.config.Orchestrators
	found := &render.Capabilities{
		VirtualServices:  c.config.Ingress.VirtualServiceGateway != "" && has[istio.GroupVersion.String()],
		HTTPRoutes:       c.config.Ingress.HTTPRouteGateway != "" && has[gatewayapi.GroupVersion.String()],
		LeaderWorkerSets: orchestrators.LeaderWorkerSet.Enabled && has[lwsv1.GroupVersion.String()],
		Volcano:          orchestrators.LeaderWorkerSet.Enabled && has[lwsv1.GroupVersion.String()] && has[render.PodGroups.String()],
		KAI:              orchestrators.KAIScheduler.Enabled && has[queues.GroupVersion.Group],
		InferencePools:   orchestrators.InferencePool.Enabled && has[inferenceapi.GroupVersion.String()],
		Checkpoints:      c.config.Checkpoint.Enabled,
	}
	if !orchestrators.Grove.Enabled || !has[grove.GroupVersion.String()] {
		return found, nil
	}
	// Its kinds come and go one after the other, and are of use together.
	resources, err := c.discovery.ServerResourcesForGroupVersion(grove.GroupVersion.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return found, fmt.Errorf("ask the API server for the kinds of %s: %w", grove.GroupVersion, err)
	}
	found.Grove = err == nil && !slices.ContainsFunc(grove.Resources(), func(name string) bool {
		return !slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == name })
	})
	return found, nil
}

func (c *capabilities) complain(has map[string]bool) {
	for _, wanted := range []struct {
		on         bool
		group, key string
	}{
		{c.config.Orchestrators.Grove.Enabled, grove.GroupVersion.Group, "orchestrators.grove.enabled"},
		{c.config.Orchestrators.KAIScheduler.Enabled, queues.GroupVersion.Group, "orchestrators.kaiScheduler.enabled"},
		{c.config.Ingress.VirtualServiceGateway != "", istio.GroupVersion.Group, "ingress.virtualServiceGateway"},
		{c.config.Ingress.HTTPRouteGateway != "", gatewayapi.GroupVersion.Group, "ingress.httpRouteGateway"},
	} {
		if wanted.on && !has[wanted.group] {
			c.logger.Error(nil, "the configuration turns on what the cluster has not got: install it", "key", wanted.key, "missing", wanted.group)
		}
	}
}

// groups are the API groups of the cluster and, as group/version, their versions.
func (c *capabilities) groups() (map[string]bool, error) {
	groups, err := c.discovery.ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("ask the API server for its API groups: %w", err)
	}
	return groupNames(groups), nil
}

func groupNames(groups *metav1.APIGroupList) map[string]bool {
	names := map[string]bool{}
	for _, group := range groups.Groups {
		names[group.Name] = true
		for _, version := range group.Versions {
			names[version.GroupVersion] = true
		}
	}
	return names
}

package manager

import (
	"fmt"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/queues"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const groveGroup = "grove.io"

// capabilities asks once what the cluster has of what the configuration turns
// on, and complains about what it has not.
func capabilities(restConfig *rest.Config, cfg *config.OperatorConfiguration, logger logr.Logger) (render.Capabilities, error) {
	client, err := discovery.NewDiscoveryClientForConfig(restConfig)
	if err != nil {
		return render.Capabilities{}, fmt.Errorf("make a discovery client: %w", err)
	}
	groups, err := client.ServerGroups()
	if err != nil {
		return render.Capabilities{}, fmt.Errorf("ask the API server for its API groups: %w", err)
	}
	has := groupNames(groups)
	if !has[v1alpha1.GroupName] {
		return render.Capabilities{}, fmt.Errorf("the cluster does not know the kinds of %s: install the chart dynamo-crds first", v1alpha1.GroupName)
	}
	for _, wanted := range []struct {
		on         bool
		group, key string
	}{
		{cfg.Orchestrators.Grove.Enabled, groveGroup, "orchestrators.grove.enabled"},
		{cfg.Orchestrators.KAIScheduler.Enabled, queues.GroupVersion.Group, "orchestrators.kaiScheduler.enabled"},
		{cfg.Ingress.VirtualServiceGateway != "", istio.GroupVersion.Group, "ingress.virtualServiceGateway"},
	} {
		if wanted.on && !has[wanted.group] {
			logger.Error(nil, "the configuration turns on what the cluster has not got: install it and restart the operator",
				"key", wanted.key, "missing", wanted.group)
		}
	}
	return render.Capabilities{
		VirtualServices: cfg.Ingress.VirtualServiceGateway != "" && has[istio.GroupVersion.Group],
	}, nil
}

func groupNames(groups *metav1.APIGroupList) map[string]bool {
	names := make(map[string]bool, len(groups.Groups))
	for _, group := range groups.Groups {
		names[group.Name] = true
	}
	return names
}

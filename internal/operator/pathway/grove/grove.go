// Package grove runs a whole graph as one PodCliqueSet of Grove: its services are
// cliques, or scaling groups, of one gang.
package grove

import (
	"context"
	"fmt"
	"maps"
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/sshkeys"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/workload"
)

// Pathway implements pathway.Pathway.
type Pathway struct{}

// Runs implements pathway.Pathway.
func (Pathway) Runs(path string) bool { return path == render.PathGrove }

// Kinds implements pathway.Pathway. Services are not among them: they have the
// names of those of components, who take them over.
func (Pathway) Kinds(cluster render.Capabilities) []client.Object {
	if !cluster.Grove {
		return nil
	}
	kinds := []client.Object{&grove.PodCliqueSet{}, &networkingv1.Ingress{}}
	if cluster.VirtualServices {
		kinds = append(kinds, &istio.VirtualService{})
	}
	if cluster.HTTPRoutes {
		kinds = append(kinds, &gatewayapi.HTTPRoute{})
	}
	return kinds
}

// Rights implements pathway.Pathway. They are there before the API is, which is
// noticed without a restart.
func (Pathway) Rights(cfg *config.OperatorConfiguration) []rbacv1.PolicyRule {
	if !cfg.Orchestrators.Grove.Enabled {
		return nil
	}
	group := grove.GroupVersion.Group
	return []rbacv1.PolicyRule{
		lifecycle.Rule(group, "podcliquesets", lifecycle.Full...),
		lifecycle.Rule(group, "podcliques", lifecycle.Read...),
		lifecycle.Rule(group, "podcliquescalinggroups", lifecycle.Read...),
		lifecycle.Rule(group, "podcliques/scale", "patch"),
		lifecycle.Rule(group, "podcliquescalinggroups/scale", "patch"),
		// Those of a graph that leaves Grove, and that no component takes over.
		lifecycle.Rule("", "services", "delete"),
		sshkeys.Rule(),
	}
}

// Cached implements pathway.Pathway.
func (Pathway) Cached(cluster render.Capabilities) map[client.Object]cache.ByObject {
	if !cluster.Grove {
		return nil
	}
	return map[client.Object]cache.ByObject{
		&grove.PodCliqueSet{}: lifecycle.Ours(),
		&grove.PodClique{}:    lifecycle.Labelled(v1alpha1.LabelGraphDeploymentName),
	}
}

// Watch implements pathway.Pathway: what Grove makes is not the graph's own.
func (Pathway) Watch(cached client.Reader, cluster render.Capabilities, build *builder.Builder) {
	if !cluster.Grove {
		return
	}
	build.Owns(&corev1.Service{})
	for _, kind := range []client.Object{&grove.PodClique{}, &grove.PodCliqueScalingGroup{}} {
		build.Watches(kind, handler.EnqueueRequestsFromMapFunc(partOf))
	}
	workload.Watch(cached, build, graphOfPod)
}

// partOf is the graph: its PodCliqueSet has its name.
func partOf(_ context.Context, object client.Object) []reconcile.Request {
	return request(object, object.GetLabels()[grove.LabelPartOf])
}

func graphOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	if pod.GetLabels()[grove.LabelPodClique] == "" {
		return nil
	}
	return request(pod, pod.GetLabels()[v1alpha1.LabelGraphDeploymentName])
}

func request(object client.Object, graph string) []reconcile.Request {
	if graph == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: graph}}}
}

// Objects implements pathway.Pathway.
func (Pathway) Objects(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, now pathway.Now) ([]client.Object, error) {
	rendered, err := render.Grove(dgd, cfg, now.Cluster, now.Restarts, version(dgd, cfg, now))
	if err != nil {
		return nil, err
	}
	if live := setAmong(now.Objects); live != nil && live.DeletionTimestamp == nil {
		if err := render.Fixed(live, rendered.Set); err != nil {
			return nil, err
		}
	}
	objects := []client.Object{rendered.Set}
	for _, exposure := range rendered.Exposures {
		objects = append(objects, exposure.Service)
		if exposure.Ingress != nil {
			objects = append(objects, exposure.Ingress)
		}
		if exposure.VirtualService != nil && now.Cluster.VirtualServices {
			objects = append(objects, exposure.VirtualService)
		}
		if exposure.HTTPRoute != nil && now.Cluster.HTTPRoutes {
			objects = append(objects, exposure.HTTPRoute)
		}
	}
	return objects, nil
}

// version is that by which a graph is rendered: the current one, unless what runs
// was rendered from this very graph by an earlier one.
func version(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, now pathway.Now) render.Version {
	live := setAmong(now.Objects)
	if live == nil || render.VersionOf(live) == render.Current {
		return render.Current
	}
	was := render.VersionOf(live)
	rendered, err := render.Grove(dgd, cfg, now.Cluster, carried(live), was)
	if err != nil || !slices.Equal(hashes(live), hashes(rendered.Set)) {
		return render.Current
	}
	return was
}

// hashes are those of the templates of a set's pods.
func hashes(set *grove.PodCliqueSet) (hashes []string) {
	for _, clique := range set.Spec.Template.Cliques {
		hashes = append(hashes, clique.Name+" "+clique.Labels[render.TemplateLabel])
	}
	return hashes
}

// carried are the ids of the last restarts, by service.
func carried(set *grove.PodCliqueSet) map[string]string {
	ids := map[string]string{}
	for _, clique := range set.Spec.Template.Cliques {
		if id := clique.Annotations[v1alpha1.AnnotationRestartAt]; id != "" {
			ids[clique.Labels[v1alpha1.LabelComponent]] = id
		}
	}
	return ids
}

func setAmong(objects []client.Object) *grove.PodCliqueSet {
	for _, object := range objects {
		if set, is := object.(*grove.PodCliqueSet); is {
			return set
		}
	}
	return nil
}

// Scale implements pathway.Pathway: the replicas of a PodCliqueSet's template are
// those that a service begins with. Where the graph says none, whoever scales the
// PodClique is left alone.
func (Pathway) Scale(ctx context.Context, c client.Client, dgd *v1alpha1.DynamoGraphDeployment) error {
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		replicas := dgd.Spec.Services[name].Replicas
		scaled, is, err := scaledBy(ctx, c, dgd, name)
		if err != nil {
			return err
		}
		if replicas == nil || scaled == nil || is == *replicas {
			continue
		}
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, *replicas))
		err = c.SubResource("scale").Patch(ctx, scaled, patch, client.WithSubResourceBody(&autoscalingv1.Scale{}))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("scale service %s to %d in Grove: %w", name, *replicas, err)
		}
	}
	return nil
}

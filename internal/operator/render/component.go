package render

import (
	"cmp"
	"math"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/gatewayapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/istio"
)

// ComponentObjects is what runs one component.
type ComponentObjects struct {
	// Deployment is nil for a component over several nodes, and LeaderWorkerSet
	// for one that is not.
	Deployment      *appsv1.Deployment
	LeaderWorkerSet *lwsv1.LeaderWorkerSet
	Exposure
}

// Exposure is how a component is reached.
type Exposure struct {
	Service *corev1.Service
	// Ingress, VirtualService and HTTPRoute are nil for a component that is not
	// exposed, and all but one of them for one that is.
	Ingress        *networkingv1.Ingress
	VirtualService *istio.VirtualService
	HTTPRoute      *gatewayapi.HTTPRoute
}

// component is a DynamoComponentDeployment with everything that follows from
// it and from the configuration.
type component struct {
	object *v1alpha1.DynamoComponentDeployment
	spec   *v1alpha1.DynamoComponentDeploymentSharedSpec
	config *config.OperatorConfiguration

	// graph is the name of the parent, empty for a component written by hand.
	graph            string
	service          string
	logicalNamespace string
	discovery        string
	kind             componentType
	engine           v1alpha1.BackendFramework
}

// Component renders a component for which validate.Component found no error.
func Component(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) (*ComponentObjects, error) {
	c, err := newComponent(dcd, cfg)
	if err != nil {
		return nil, err
	}
	objects := &ComponentObjects{}
	if spec := &dcd.Spec.DynamoComponentDeploymentSharedSpec; spec.NodeCount() > 1 {
		objects.LeaderWorkerSet, err = c.leaderWorkerSet()
	} else {
		objects.Deployment, err = c.deployment()
	}
	if err != nil {
		return nil, err
	}
	objects.Exposure, err = c.exposure(objects.pods())
	return objects, err
}

// exposure is how the pods of a template are reached.
func (c *component) exposure(pods *corev1.PodTemplateSpec) (Exposure, error) {
	ports, err := c.servicePorts(mainContainer(pods.Spec).Ports)
	if err != nil {
		return Exposure{}, err
	}
	return Exposure{
		Service: c.networkService(ports), Ingress: c.ingress(ports[0].Name),
		VirtualService: c.virtualService(ports[0].Port), HTTPRoute: c.httpRoute(ports[0].Port),
	}, nil
}

// pods is the template of those that serve.
func (o *ComponentObjects) pods() *corev1.PodTemplateSpec {
	if o.Deployment != nil {
		return &o.Deployment.Spec.Template
	}
	return o.LeaderWorkerSet.Spec.LeaderWorkerTemplate.LeaderTemplate
}

func newComponent(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) (*component, error) {
	spec := &dcd.Spec.DynamoComponentDeploymentSharedSpec
	engine, err := Engine(dcd.Spec.BackendFramework, spec)
	if err != nil {
		return nil, err
	}
	c := &component{
		object:    dcd,
		spec:      spec,
		config:    cfg,
		graph:     ParentGraph(dcd),
		service:   firstOf(spec.ServiceName, dcd.Name),
		discovery: firstOf(spec.Annotations[v1alpha1.AnnotationDiscoveryBackend], cfg.Discovery.Backend),
		kind:      typeOf(spec.ComponentType),
		engine:    engine,
		// The graph controller computes it; a component written by hand may
		// set it, and has a namespace of its own otherwise.
		logicalNamespace: firstOf(spec.DynamoNamespace, dcd.Namespace+"-"+dcd.Name),
	}
	if spec.GlobalDynamoNamespace {
		c.logicalNamespace = globalNamespace
	}
	return c, nil
}

// ParentGraph is the name of the graph that owns a component, or "".
func ParentGraph(dcd *v1alpha1.DynamoComponentDeployment) string {
	owner := metav1.GetControllerOf(dcd)
	if owner == nil || owner.Kind != v1alpha1.KindGraphDeployment {
		return ""
	}
	return owner.Name
}

func (c *component) usesKubernetesDiscovery() bool {
	return c.discovery == config.DiscoveryKubernetes
}

func (c *component) deployment() (*appsv1.Deployment, error) {
	template, err := c.podTemplate()
	if err != nil {
		return nil, err
	}
	c.restore(&template)
	replicas := c.spec.DesiredReplicas()
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: c.objectMeta(mergeMaps(free(c.spec.Annotations), free(c.extraPodMetadata().Annotations))),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			// Immutable in the API, so nothing that a user can change is in it.
			Selector: &metav1.LabelSelector{MatchLabels: c.selector()},
			Strategy: deploymentStrategy(c.spec.Annotations),
			Template: template,
			// Or else a model that loads for an hour is reported as stuck.
			ProgressDeadlineSeconds: ptr.To(progressDeadline(mainContainer(template.Spec))),
		},
	}, nil
}

// defaultProgressDeadline is that of Deployments, in seconds.
const defaultProgressDeadline = 600

// progressDeadline is the default, and longer where the probes give a pod more
// time to become ready: their budgets and a minute for its image.
func progressDeadline(main *corev1.Container) int32 {
	seconds := int64(60)
	for _, probe := range []*corev1.Probe{main.StartupProbe, main.ReadinessProbe} {
		if probe != nil {
			seconds += int64(probe.InitialDelaySeconds) + int64(cmp.Or(probe.PeriodSeconds, 10))*int64(cmp.Or(probe.FailureThreshold, 3))
		}
	}
	return int32(min(max(seconds, defaultProgressDeadline), math.MaxInt32))
}

func deploymentStrategy(annotations map[string]string) appsv1.DeploymentStrategy {
	if annotations[v1alpha1.AnnotationDeploymentStrategy] == string(appsv1.RecreateDeploymentStrategyType) {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	share := func(annotation string) *intstr.IntOrString {
		value := intstr.Parse(firstOf(annotations[annotation], "25%"))
		return &value
	}
	return appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxSurge:       share(v1alpha1.AnnotationRollingUpdateMaxSurge),
			MaxUnavailable: share(v1alpha1.AnnotationRollingUpdateMaxUnavailable),
		},
	}
}

// networkService exposes the component inside the cluster. Every component has
// one, because a pod is discovered through the EndpointSlices of a labelled
// Service.
func (c *component) networkService(ports []corev1.ServicePort) *corev1.Service {
	meta := c.objectMeta(c.allowed(c.spec.Annotations))
	if c.usesKubernetesDiscovery() {
		meta.Labels[v1alpha1.LabelDiscoveryBackend] = c.discovery
		meta.Labels[v1alpha1.LabelDiscoveryEnabled] = "true"
	}
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Selector: c.servingPods(),
			Ports:    ports,
		},
	}
}

// servicePorts: a known type has one well-known port. A plain container shows
// the ports it declares, and the system port when it declares none: a Service
// must have a port, whether anybody listens there or not. Targets are numbers:
// a sidecar may have a port of the same name.
func (c *component) servicePorts(declared []corev1.ContainerPort) ([]corev1.ServicePort, error) {
	if c.kind.port != nil {
		target, err := ServerPort(c.spec, nil)
		return []corev1.ServicePort{{
			Name: c.kind.port.Name, Port: c.kind.port.ContainerPort, Protocol: corev1.ProtocolTCP,
			TargetPort: intstr.FromInt32(target), AppProtocol: c.kind.appProtocol,
		}}, err
	}
	var ports []corev1.ServicePort
	for _, p := range declared {
		ports = append(ports, corev1.ServicePort{
			Name: firstOf(p.Name, "port-"+itoa(p.ContainerPort)), Port: p.ContainerPort, Protocol: p.Protocol,
			TargetPort: intstr.FromInt32(p.ContainerPort),
		})
	}
	if len(ports) > 0 {
		return ports, nil
	}
	return []corev1.ServicePort{{
		Name: worker.port.Name, Port: worker.port.ContainerPort, Protocol: corev1.ProtocolTCP,
		TargetPort: intstr.FromInt32(worker.port.ContainerPort),
	}}, nil
}

func mainContainer(pod corev1.PodSpec) *corev1.Container {
	for i := range pod.Containers {
		if pod.Containers[i].Name == v1alpha1.MainContainerName {
			return &pod.Containers[i]
		}
	}
	return nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

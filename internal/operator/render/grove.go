package render

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/grove"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/launch"
)

// The KAI scheduler, and how pods say which of its queues is theirs.
const (
	kaiScheduler    = "kai-scheduler"
	kaiQueueLabel   = "kai.scheduler/queue"
	defaultKAIQueue = "dynamo"
)

// GroveObjects run a whole graph through Grove.
type GroveObjects struct {
	Set *grove.PodCliqueSet
	// Exposures are in the order of the services' names.
	Exposures []Exposure
}

// Grove renders a graph for Grove, by the rules of a version: one gang, in which
// each service is a clique, or a scaling group of a leader and its workers.
// restarts has the ids that services carry. Workers of two specs have no objects
// of their own beside each other, since nobody can change what a gang consists
// of; in their logical namespaces they are apart all the same.
func Grove(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, cluster Capabilities, restarts map[string]string, version Version) (*GroveObjects, error) {
	gang := &gang{queue: queueOf(dgd, cluster)}
	objects := &GroveObjects{}
	for _, component := range Components(dgd, cfg, version) {
		component.Name = ComponentName(dgd.Name, component.Spec.ServiceName)
		if id, ok := restarts[component.Spec.ServiceName]; ok {
			component.Spec.Annotations = mergeMaps(component.Spec.Annotations, map[string]string{v1alpha1.AnnotationRestartAt: id})
		}
		c, err := newComponent(component, cfg)
		if err != nil {
			return nil, err
		}
		c.graph = dgd.Name
		serving, err := gang.add(c)
		if err != nil {
			return nil, err
		}
		exposure, err := c.exposure(serving)
		if err != nil {
			return nil, err
		}
		objects.Exposures = append(objects.Exposures, exposure)
	}
	objects.Set = gang.set(dgd, cfg, version)
	return objects, nil
}

// gang gathers what a PodCliqueSet consists of.
type gang struct {
	// queue of the KAI scheduler, "" without it.
	queue    string
	template grove.PodCliqueSetTemplate
}

// add returns the template of the pods that serve.
func (g *gang) add(c *component) (serving *corev1.PodTemplateSpec, err error) {
	if c.spec.NodeCount() > 1 {
		return g.addGroup(c)
	}
	pods, err := c.podTemplate()
	if err != nil {
		return nil, err
	}
	g.schedule(&pods)
	mark(&pods)
	clique := cliqueOf(strings.ToLower(c.service), pods)
	clique.Spec.Replicas, clique.Spec.MinAvailable = c.spec.DesiredReplicas(), MinAvailable(c.spec)
	g.template.Cliques = append(g.template.Cliques, clique)
	return &pods, nil
}

// addGroup: without one of its workers a leader can do nothing, so a copy is all
// of them.
func (g *gang) addGroup(c *component) (serving *corev1.PodTemplateSpec, err error) {
	name := strings.ToLower(c.service)
	leader, worker, err := c.groupTemplates(inGrove(name))
	if err != nil {
		return nil, err
	}
	g.schedule(&leader, &worker)
	mark(&leader, &worker)
	leads, works := cliqueOf(leaderClique(name), leader), cliqueOf(workerClique(name), worker)
	leads.Spec.Replicas, leads.Spec.MinAvailable = 1, 1
	works.Spec.Replicas, works.Spec.MinAvailable = c.spec.NodeCount()-1, c.spec.NodeCount()-1
	if MeetsBySSH(c.object.Spec.BackendFramework, c.spec) {
		// It can do nothing before them.
		leads.Spec.StartsAfter, g.template.StartupType = []string{works.Name}, grove.StartupExplicit
	}
	g.template.Cliques = append(g.template.Cliques, leads, works)
	g.template.ScalingGroups = append(g.template.ScalingGroups, grove.ScalingGroupConfig{
		Name: name, CliqueNames: []string{leads.Name, works.Name},
		Replicas: c.spec.DesiredReplicas(), MinAvailable: MinAvailable(c.spec),
	})
	return &leader, nil
}

// MinAvailable is how many replicas make the gang: one, since Grove lets nobody
// change this and replicas change, unless the author says otherwise.
func MinAvailable(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) int32 {
	least, err := strconv.ParseInt(spec.Annotations[v1alpha1.AnnotationMinAvailable], 10, 32)
	if err != nil || least < 1 {
		return 1 // absent, or refused by validation
	}
	return int32(least)
}

func cliqueOf(name string, pods corev1.PodTemplateSpec) grove.PodCliqueTemplate {
	return grove.PodCliqueTemplate{
		Name: name, Labels: pods.Labels, Annotations: pods.Annotations,
		Spec: grove.PodCliqueTemplateSpec{RoleName: name, PodSpec: pods.Spec},
	}
}

// schedule gives pods that name no other scheduler to KAI, where the cluster has it.
func (g *gang) schedule(templates ...*corev1.PodTemplateSpec) {
	for _, pods := range templates {
		if g.queue == "" || !leavesToKAI(pods.Spec.SchedulerName) {
			continue
		}
		pods.Spec.SchedulerName = kaiScheduler
		pods.Labels = mergeMaps(pods.Labels, map[string]string{kaiQueueLabel: g.queue})
	}
}

func leavesToKAI(scheduler string) bool { return scheduler == "" || scheduler == kaiScheduler }

func queueOf(dgd *v1alpha1.DynamoGraphDeployment, cluster Capabilities) string {
	if !cluster.KAI {
		return ""
	}
	return firstOf(dgd.Annotations[v1alpha1.AnnotationKaiSchedulerQueue], defaultKAIQueue)
}

func (g *gang) set(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, version Version) *grove.PodCliqueSet {
	g.template.StartupType = firstOf(g.template.StartupType, grove.StartupAnyOrder)
	// Pods of a group find each other before they are ready.
	g.template.Headless = &grove.HeadlessServiceConfig{PublishNotReadyAddresses: true}
	if delay := cfg.Orchestrators.Grove.TerminationDelay; delay.Duration > 0 {
		g.template.TerminationDelay = ptr.To(delay)
	}
	return &grove.PodCliqueSet{
		TypeMeta: metav1.TypeMeta{APIVersion: grove.GroupVersion.String(), Kind: grove.KindPodCliqueSet},
		ObjectMeta: metav1.ObjectMeta{
			Name: dgd.Name, Namespace: dgd.Namespace,
			Labels: mergeMaps(graphLabels(dgd.Name), managedBy()), Annotations: version.annotation(),
		},
		Spec: grove.PodCliqueSetSpec{Replicas: 1, Template: g.template},
	}
}

// GroveName is what Grove calls the PodClique, or the PodCliqueScalingGroup, of a
// service.
func GroveName(graph, service string) string { return graph + "-0-" + strings.ToLower(service) }

func inGrove(service string) launch.Names {
	return launch.InGrove(leaderClique(service), workerClique(service))
}

func leaderClique(service string) string { return service + "-ldr" }
func workerClique(service string) string { return service + "-wkr" }

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	lwsv1 "sigs.k8s.io/lws/api/leaderworkerset/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/launch"
)

// A group's pods say by this label what they do. Only the leader is reached
// from outside.
const (
	roleLabel  = "role"
	roleLeader = "leader"
	roleWorker = "worker"
)

// TemplateLabel is, on the pods of groups and of Grove, the hash of the templates
// that they were made of: the status of a LeaderWorkerSet does not say of which of
// its specs it speaks, and that of a PodClique not of which of the graph's. It is a label because the caches keep no annotations of pods.
const TemplateLabel = "wheelhouse.dev/template"

// LongestGroupName is how long the name of a component over several nodes may
// be: LeaderWorkerSet adds the number of the group, of which 1000 are thought
// of, to that of a StatefulSet, and Kubernetes a hash to that for a label.
const LongestGroupName = 48

// Launch is how the pods of a group start a service over several nodes. It
// fails where its command cannot be spread over them. What a command says itself
// of how pods meet may be right in one kind of workload alone, and is right if it
// is so in any.
func Launch(declared v1alpha1.BackendFramework, spec *v1alpha1.DynamoComponentDeploymentSharedSpec) (launch.Launch, error) {
	started, err := launched(declared, spec, launch.InLeaderWorkerSet)
	if err != nil {
		if other, otherErr := launched(declared, spec, inGrove("service")); otherErr == nil {
			return other, nil
		}
	}
	return started, err
}

func launched(declared v1alpha1.BackendFramework, spec *v1alpha1.DynamoComponentDeploymentSharedSpec, names launch.Names) (launch.Launch, error) {
	engine, err := Engine(declared, spec)
	if err != nil {
		return launch.Launch{}, err
	}
	gpus, err := gpusOf(spec)
	if err != nil {
		return launch.Launch{}, err
	}
	c := &component{object: &v1alpha1.DynamoComponentDeployment{}, spec: spec, kind: typeOf(spec.ComponentType)}
	main := c.userMainContainer()
	c.fillCommand(&main, 0)
	return launch.For(engine, launch.Group{Nodes: spec.NodeCount(), GPUs: gpus, Names: names}, launch.Command{Command: main.Command, Args: main.Args})
}

// gpusOf are those of one pod.
func gpusOf(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) (int64, error) {
	service, err := ResourceRequirements(spec.Resources)
	if err != nil {
		return 0, err
	}
	c := &component{spec: spec}
	limits := mergeResources(c.userMainContainer().Resources, service).Limits
	name := v1alpha1.DefaultGPUType
	if spec.Resources != nil {
		name = gpuType(spec.Resources.Limits, spec.Resources.Requests)
	}
	// A container names another vendor's GPUs by themselves.
	if _, found := limits[corev1.ResourceName(name)]; !found {
		for _, other := range slices.Sorted(maps.Keys(limits)) {
			if strings.HasSuffix(string(other), "/gpu") {
				name = string(other)
			}
		}
	}
	quantity := limits[corev1.ResourceName(name)]
	return quantity.Value(), nil
}

// leaderWorkerSet has a group of pods per replica. Each group has a subdomain
// of its own: the set's own name is that of the component's Service.
func (c *component) leaderWorkerSet() (*lwsv1.LeaderWorkerSet, error) {
	leader, worker, err := c.groupTemplates(launch.InLeaderWorkerSet)
	if err != nil {
		return nil, err
	}
	mark(&leader, &worker)
	return &lwsv1.LeaderWorkerSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: lwsv1.GroupVersion.String(), Kind: PathLeaderWorkerSet},
		ObjectMeta: c.objectMeta(mergeMaps(free(c.spec.Annotations), free(c.extraPodMetadata().Annotations))),
		Spec: lwsv1.LeaderWorkerSetSpec{
			Replicas: ptr.To(c.spec.DesiredReplicas()),
			LeaderWorkerTemplate: lwsv1.LeaderWorkerTemplate{
				LeaderTemplate: &leader,
				WorkerTemplate: worker,
				Size:           ptr.To(c.spec.NodeCount()),
				RestartPolicy:  lwsv1.RecreateGroupOnPodRestart,
			},
			RolloutStrategy: groupRollout(c.spec.Annotations),
			StartupPolicy:   lwsv1.LeaderCreatedStartupPolicy,
			NetworkConfig:   &lwsv1.NetworkConfig{SubdomainPolicy: ptr.To(lwsv1.SubdomainUniquePerReplica)},
		},
	}, nil
}

// groupTemplates are those of a group's leader and of its workers.
func (c *component) groupTemplates(names launch.Names) (leader, worker corev1.PodTemplateSpec, err error) {
	template, err := c.podTemplate()
	if err != nil {
		return leader, worker, err
	}
	started, err := launched(c.object.Spec.BackendFramework, c.spec, names)
	if err != nil {
		return leader, worker, fmt.Errorf("service %s: %w", c.service, err)
	}
	leader = groupMember(template, roleLeader, started.Leader)
	worker = groupMember(template, roleWorker, started.Worker)
	if c.engine != "" {
		// It answers to its leader, which is ready only with all.
		main := mainContainer(worker.Spec)
		main.LivenessProbe, main.ReadinessProbe, main.StartupProbe = nil, nil, nil
	}
	if started.SSH {
		meetBySSH(&leader, &worker)
	}
	return leader, worker, nil
}

func groupMember(template corev1.PodTemplateSpec, role string, started launch.Command) corev1.PodTemplateSpec {
	member := *template.DeepCopy()
	member.Labels = mergeMaps(member.Labels, map[string]string{roleLabel: role})
	main := mainContainer(member.Spec)
	main.Command, main.Args = started.Command, started.Args
	return member
}

// mark writes the templates' hash on both.
func mark(templates ...*corev1.PodTemplateSpec) {
	data, err := json.Marshal(templates)
	if err != nil {
		return // it cannot be sent either
	}
	sum := sha256.Sum256(data)
	for _, template := range templates {
		template.Labels = mergeMaps(template.Labels, map[string]string{TemplateLabel: hex.EncodeToString(sum[:8])})
	}
}

// groupRollout replaces one group after the other, without another in addition:
// a group takes whole nodes. With either share given, the other is as for
// Deployments, so that one of them is above zero.
func groupRollout(annotations map[string]string) lwsv1.RolloutStrategy {
	unavailable, surge := "1", "0"
	if given := annotations[v1alpha1.AnnotationRollingUpdateMaxUnavailable]; given != "" {
		unavailable, surge = given, "25%"
	}
	if annotations[v1alpha1.AnnotationDeploymentStrategy] == "Recreate" {
		unavailable, surge = "100%", "0"
	} else {
		surge = firstOf(annotations[v1alpha1.AnnotationRollingUpdateMaxSurge], surge)
	}
	return lwsv1.RolloutStrategy{
		Type: lwsv1.RollingUpdateStrategyType,
		RollingUpdateConfiguration: &lwsv1.RollingUpdateConfiguration{
			MaxUnavailable: intstr.Parse(unavailable), MaxSurge: intstr.Parse(surge),
		},
	}
}

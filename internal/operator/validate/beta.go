package validate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// Why what only v1beta1 can say is refused, where nothing would come of it.
const (
	noTopology  = "this platform places no pods by topology: use affinity in the pod template"
	noOverride  = "this platform lets nobody change its workloads: use the pod template"
	noTransfer  = "this platform does not steer between which workers a KV cache travels: remove it"
	noGPUMemory = "this platform has no GPU memory service: remove it"
	noFailover  = "this platform keeps no second engine ready: use replicas"
	noGroup     = "this platform makes scaling groups of components over several nodes alone: remove it"
	noPolicy    = "this platform knows no other value: remove it"
	noName      = "pods are named after their component: remove it"
	noVersion   = " is noted, and changes nothing: this platform renders all versions of the runtime alike"
)

// betaGraph refuses what a graph says in v1beta1 that nothing would come of.
func betaGraph(dgd *v1alpha1.DynamoGraphDeployment) (errs field.ErrorList, warnings []string) {
	if !conversion.Keeps(dgd.ObjectMeta) {
		return nil, nil
	}
	b := conversion.GraphToBeta(dgd)
	r := &refusals{}
	r.refuse(b.Spec.TopologyConstraint != nil, specPath.Child("topologyConstraint"), noTopology)
	r.refuse(b.Spec.ProviderOverride != nil, specPath.Child("providerOverride"), noOverride)
	r.refuse(b.Spec.Experimental != nil && b.Spec.Experimental.KVTransferPolicy != nil, specPath.Child("experimental", "kvTransferPolicy"), noTransfer)
	for i := range b.Spec.Components {
		c := &b.Spec.Components[i]
		r.component(specPath.Child("components").Key("name="+c.Name), c)
	}
	return r.errs, r.warnings
}

// betaComponent does the same for a component that stands for itself.
func betaComponent(dcd *v1alpha1.DynamoComponentDeployment) (errs field.ErrorList, warnings []string) {
	if !conversion.Keeps(dcd.ObjectMeta) {
		return nil, nil
	}
	r := &refusals{}
	r.component(specPath, &conversion.ComponentToBeta(dcd).Spec.DynamoComponentDeploymentSharedSpec)
	return r.errs, r.warnings
}

// betaRequest does the same for a request.
func betaRequest(dgdr *v1alpha1.DynamoGraphDeploymentRequest) (errs field.ErrorList, warnings []string) {
	if !conversion.Keeps(dgdr.ObjectMeta) {
		return nil, nil
	}
	b := conversion.RequestToBeta(dgdr)
	r := &refusals{}
	r.version(specPath, b.Spec.RuntimeVersionOverride)
	if o := b.Spec.Overrides; o != nil {
		overrides := specPath.Child("overrides")
		r.refuse(o.ProfilingJob != nil && !onlyResources(o.ProfilingJob), overrides.Child("profilingJob"),
			"of this, only template.spec.tolerations, template.spec.nodeSelector and the resources of container profiler have an effect: remove the rest")
	}
	return r.errs, r.warnings
}

func onlyResources(job *v1beta1.ProfilingJob) bool {
	job = job.DeepCopy()
	pod := &job.Template.Spec
	pod.Tolerations, pod.NodeSelector = nil, nil
	pod.Containers = slices.DeleteFunc(pod.Containers, func(c corev1.Container) bool {
		c.Resources = corev1.ResourceRequirements{}
		return conversion.Same(c, corev1.Container{Name: "profiler"})
	})
	return conversion.Same(job, &v1beta1.ProfilingJob{})
}

// refusals gathers what is refused, and what is told.
type refusals struct {
	errs     field.ErrorList
	warnings []string
}

func (r *refusals) refuse(is bool, path *field.Path, why string) {
	if is {
		r.errs = append(r.errs, field.Forbidden(path, why))
	}
}

func (r *refusals) version(path *field.Path, version string) {
	if version != "" {
		r.warnings = append(r.warnings, path.Child("runtimeVersionOverride").String()+noVersion)
	}
}

func (r *refusals) component(path *field.Path, c *v1beta1.DynamoComponentDeploymentSharedSpec) {
	r.version(path, c.RuntimeVersionOverride)
	r.refuse(c.TopologyConstraint != nil, path.Child("topologyConstraint"), noTopology)
	r.refuse(c.ProviderOverride != nil, path.Child("providerOverride"), noOverride)
	if m := c.Multinode; m != nil {
		r.refuse(m.Leader != nil && m.Leader.ProviderOverride != nil, path.Child("multinode", "leader", "providerOverride"), noOverride)
		r.refuse(m.Worker != nil && m.Worker.ProviderOverride != nil, path.Child("multinode", "worker", "providerOverride"), noOverride)
	}
	if t := c.PodTemplate; t != nil {
		meta := *t.ObjectMeta.DeepCopy()
		meta.Labels, meta.Annotations = nil, nil
		r.refuse(!conversion.Same(meta, metav1.ObjectMeta{}), path.Child("podTemplate", "metadata"), "only labels and annotations have an effect: "+noName)
	}
	if c.Experimental != nil {
		r.experimental(path.Child("experimental"), c.Experimental)
	}
}

func (r *refusals) experimental(path *field.Path, e *v1beta1.ExperimentalSpec) {
	r.refuse(e.GPUMemoryService != nil, path.Child("gpuMemoryService"), noGPUMemory)
	r.refuse(e.Failover != nil, path.Child("failover"), noFailover)
	r.refuse(e.Grove != nil && e.Grove.ForceScalingGroup, path.Child("grove", "forceScalingGroup"), noGroup)
	c, at := e.Checkpoint, path.Child("checkpoint")
	if c == nil {
		return
	}
	other := func(value, known string) bool { return value != "" && value != known }
	r.refuse(other(string(c.StartupPolicy), "Immediate"), at.Child("startupPolicy"), noPolicy)
	if c.DeletionPolicy == "Delete" {
		r.warnings = append(r.warnings, at.Child("deletionPolicy").String()+": this platform keeps the checkpoints that it takes; delete the DynamoCheckpoint when nobody starts from it any more")
	}
	r.refuse(other(c.TargetContainerName, v1beta1.MainContainerName), at.Child("targetContainerName"), noPolicy)
	r.refuse(c.Job != nil, at.Child("job"), "the pod of the Job follows from the component: remove it")
}

// directives checks the annotations of a service that are fields of a component in v1beta1.
func directives(path *field.Path, s *v1alpha1.DynamoComponentDeploymentSharedSpec) field.ErrorList {
	var errs field.ErrorList
	at := path.Child("annotations")
	if name, set := s.Annotations[v1alpha1.AnnotationFrontendSidecar]; set {
		there := s.ExtraPodSpec != nil && s.ExtraPodSpec.PodSpec != nil && name != v1alpha1.MainContainerName &&
			slices.ContainsFunc(s.ExtraPodSpec.Containers, func(c corev1.Container) bool { return c.Name == name })
		if !there {
			errs = append(errs, field.Invalid(at.Key(v1alpha1.AnnotationFrontendSidecar), name, "must be the name of a container beside the main one"))
		}
		if _, err := render.FrontendPort(s, nil); there && s.ComponentType != v1alpha1.ComponentTypeFrontend && err != nil {
			errs = append(errs, field.Invalid(path.Child("extraPodSpec", "containers").Key(name), field.OmitValueType{}, err.Error()))
		}
	}
	text, set := s.Annotations[v1alpha1.AnnotationMinAvailable]
	if !set {
		return errs
	}
	least, err := strconv.ParseInt(text, 10, 32)
	switch replicas := int64(s.DesiredReplicas()); {
	case err != nil || least < 1:
		errs = append(errs, field.Invalid(at.Key(v1alpha1.AnnotationMinAvailable), text, "must be a number, 1 at least"))
	case replicas > 0 && least > replicas:
		errs = append(errs, field.Invalid(at.Key(v1alpha1.AnnotationMinAvailable), text, fmt.Sprintf("must not be more than the replicas, which are %d", replicas)))
	}
	return errs
}

// NoGang refuses gangs of several replicas, which Grove alone can schedule.
func NoGang(dgd *v1alpha1.DynamoGraphDeployment) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if service := dgd.Spec.Services[name]; service != nil && render.MinAvailable(service) > 1 {
			errs = append(errs, field.Forbidden(specPath.Child("services").Key(name).Child("annotations").Key(v1alpha1.AnnotationMinAvailable),
				"this graph does not run through Grove, without which replicas are scheduled one by one: remove it"))
		}
	}
	return errs
}

// InBeta says what was found in the words of v1beta1. object is what was checked, in v1alpha1.
func InBeta(errs field.ErrorList, warnings []string, object any) (field.ErrorList, []string) {
	var translated field.ErrorList
	for _, e := range errs {
		in := *e
		in.Field = conversion.BetaPath(e.Field, object)
		in.Detail = conversion.InBeta(e.Detail, object)
		translated = append(translated, &in)
	}
	var told []string
	for _, w := range warnings {
		told = append(told, conversion.InBeta(w, object))
	}
	return translated, told
}

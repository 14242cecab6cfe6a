package components

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/generation"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// givesWayAnnotation is on components of an earlier spec, which stay until those
// of the present one serve. Its value is the hash of these.
const givesWayAnnotation = "wheelhouse.dev/gives-way-to"

func givesWay(component *v1alpha1.DynamoComponentDeployment) bool {
	_, does := component.Annotations[givesWayAnnotation]
	return does
}

// version is that by which a graph is rendered: the current one, unless all that
// runs was rendered from this very graph by an earlier one.
func version(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration, live []*v1alpha1.DynamoComponentDeployment) render.Version {
	latest, byName := render.First, map[string]*v1alpha1.DynamoComponentDeployment{}
	for _, component := range live {
		if !givesWay(component) {
			byName[component.Name] = component
			latest = max(latest, render.VersionOf(component))
		}
	}
	if len(byName) == 0 || latest == render.Current {
		return render.Current
	}
	for _, component := range render.Components(dgd, cfg, latest) {
		if is := byName[component.Name]; is != nil && !sameSpec(is, component) {
			return render.Current
		}
		delete(byName, component.Name)
	}
	if len(byName) > 0 {
		return render.Current
	}
	return latest
}

// sameSpec leaves aside what changes without the author: replicas, which belong
// to autoscalers, the ids of restarts, and checkpoints that are there by now.
func sameSpec(live, rendered *v1alpha1.DynamoComponentDeployment) bool {
	stripped := func(component *v1alpha1.DynamoComponentDeployment) *v1alpha1.DynamoComponentDeploymentSpec {
		spec := component.Spec.DeepCopy()
		spec.Replicas = nil
		delete(spec.Annotations, v1alpha1.AnnotationRestartAt)
		delete(spec.Annotations, v1alpha1.AnnotationRestoreFrom)
		return spec
	}
	return equality.Semantic.DeepEqual(stripped(live), stripped(rendered))
}

// replace gives the wanted components the replicas that they have next, and adds
// those of earlier specs that go on serving meanwhile.
func replace(dgd *v1alpha1.DynamoGraphDeployment, wanted, live []*v1alpha1.DynamoComponentDeployment, seen bool) []*v1alpha1.DynamoComponentDeployment {
	change := generation.Change{Roles: map[string]generation.Role{}, Recreate: render.Recreates(dgd), Seen: seen}
	for _, component := range wanted {
		if spec := &component.Spec.DynamoComponentDeploymentSharedSpec; render.IsWorker(spec) {
			role := generation.Role{Desired: spec.DesiredReplicas()}
			role.Surge, role.Unavailable = render.Shares(spec)
			change.Roles[spec.ServiceName] = role
			change.Wanted = hashOf(component)
		}
	}
	there := generations(live)
	if !slices.ContainsFunc(there, func(g generation.Generation) bool { return g.Hash != change.Wanted }) {
		return wanted
	}
	// Frontends of a graph that gives up generations go on looking into them.
	gaveUp := change.Wanted == ""
	change.Seen = seen && (gaveUp || frontendsAre(wanted, live))
	next := change.Next(there)
	var objects []*v1alpha1.DynamoComponentDeployment
	for _, component := range wanted {
		if n, paced := next[change.Wanted][component.Spec.ServiceName]; paced && isWorker(component) {
			component.Spec.Replicas = ptr.To(n)
		}
		if was := named(live, component.Name); gaveUp && len(next) > 1 && was != nil && !isWorker(component) {
			component = asItIs(was)
		}
		objects = append(objects, component)
	}
	for _, component := range live {
		n, stays := next[hashOf(component)][component.Spec.ServiceName]
		if !isWorker(component) || hashOf(component) == change.Wanted || !stays {
			continue
		}
		former := asItIs(component)
		former.Spec.Replicas = ptr.To(n)
		setAnnotation(&former.Annotations, givesWayAnnotation, change.Wanted)
		objects = append(objects, former)
	}
	return objects
}

// frontendsAre reports whether all frontends are as wanted, down to the last pod:
// one from before generations sees none.
func frontendsAre(wanted, live []*v1alpha1.DynamoComponentDeployment) bool {
	return !slices.ContainsFunc(wanted, func(component *v1alpha1.DynamoComponentDeployment) bool {
		if component.Spec.ComponentType != v1alpha1.ComponentTypeFrontend {
			return false
		}
		is := named(live, component.Name)
		if is == nil || !sameSpec(is, component) {
			return true
		}
		done, _ := ready(is)
		return !done
	})
}

func named(live []*v1alpha1.DynamoComponentDeployment, name string) *v1alpha1.DynamoComponentDeployment {
	at := slices.IndexFunc(live, func(c *v1alpha1.DynamoComponentDeployment) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return live[at]
}

// generations are what there is of workers, by the hash of their specs.
func generations(live []*v1alpha1.DynamoComponentDeployment) []generation.Generation {
	var there []generation.Generation
	at := map[string]int{}
	for _, component := range live {
		if !isWorker(component) {
			continue
		}
		hash := hashOf(component)
		if _, known := at[hash]; !known {
			at[hash] = len(there)
			there = append(there, generation.Generation{Hash: hash, Roles: map[string]generation.Count{}})
		}
		there[at[hash]].Roles[component.Spec.ServiceName] = countOf(component)
	}
	return there
}

func isWorker(component *v1alpha1.DynamoComponentDeployment) bool {
	return render.IsWorker(&component.Spec.DynamoComponentDeploymentSharedSpec)
}

func hashOf(component *v1alpha1.DynamoComponentDeployment) string {
	return component.Labels[v1alpha1.LabelWorkerHash]
}

func countOf(component *v1alpha1.DynamoComponentDeployment) generation.Count {
	// One that has not said yet how many there are may have all.
	count := generation.Count{Spec: component.Spec.DesiredReplicas(), Present: component.Spec.DesiredReplicas()}
	if status := component.Status.Service; status != nil {
		count.Present, count.Ready = status.Replicas, ptr.Deref(status.ReadyReplicas, 0)
	}
	return count
}

// asItIs is a component that is applied again although no graph has its spec any
// more.
func asItIs(live *v1alpha1.DynamoComponentDeployment) *v1alpha1.DynamoComponentDeployment {
	copied := live.DeepCopy()
	delete(copied.Annotations, v1alpha1.AnnotationLastAppliedHash)
	return &v1alpha1.DynamoComponentDeployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindComponentDeployment},
		ObjectMeta: metav1.ObjectMeta{Name: copied.Name, Namespace: copied.Namespace, Labels: copied.Labels, Annotations: copied.Annotations},
		Spec:       copied.Spec,
	}
}

// Package model makes running workers serve what a DynamoModel names: it loads
// the adapter into each of them and counts those whose frontends list it.
package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/podhttp"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const (
	// unlisted is how long a frontend may take to list what a worker has loaded;
	// after that the worker loads it anew.
	unlisted = 20 * time.Second
	// soon is when to look again at what is under way, later at what is well: a
	// container that was restarted has forgotten its adapters.
	soon, later = 2 * time.Second, time.Minute
	// farewellPatience is how long a deleted model waits for workers to unload it.
	farewellPatience = 30 * time.Second

	reasonNameTaken = "NameTaken"
)

// adapter is what workers have loaded for a model. It is kept in an annotation,
// as long as they may have it.
type adapter struct {
	Name string `json:"name"`
	URI  string `json:"uri"`
}

// life is one look at a model.
type life struct {
	*lifecycle.Visit
	calls *calls
	model *v1alpha1.DynamoModel

	pods []corev1.Pod
	// wants is why a worker does not serve the model yet, by pod.
	wants map[string]string
}

func begin(visit *lifecycle.Visit, model *v1alpha1.DynamoModel, calls *calls) *life {
	model.Status.ObservedGeneration = model.Generation
	return &life{Visit: visit, calls: calls, model: model, wants: map[string]string{}}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	phases := []lifecycle.Phase{l.valid, l.findWorkers}
	if l.model.Spec.ModelType == v1alpha1.ModelTypeLoRA {
		return append(phases, l.onlyOne, l.retire, l.hold, l.load, l.seeAtFrontends, l.observe)
	}
	return append(phases, l.observe)
}

// Conditions implements lifecycle.Life.
func (l *life) Conditions() []metav1.Condition { return l.model.Status.Conditions }

// Failed implements lifecycle.Life.
func (l *life) Failed(reason, message string) {
	if reason == v1alpha1.ReasonValidationFailed || reason == reasonNameTaken {
		l.set(v1alpha1.ConditionValid, false, reason, message)
	}
	l.set(v1alpha1.ConditionEndpointsReady, false, cmp.Or(reason, "NotReady"), message)
	if reason != "" {
		l.model.Status.Endpoints, l.model.Status.ReadyEndpoints, l.model.Status.TotalEndpoints = nil, 0, 0
	}
}

func (l *life) set(condition string, is bool, reason, message string) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&l.model.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: l.model.Generation,
	})
}

func (l *life) valid(context.Context) error {
	l.set(v1alpha1.ConditionValid, true, "ValidationPassed", "The spec is valid")
	return nil
}

// findWorkers finds the pods that run the base model.
func (l *life) findWorkers(ctx context.Context) error {
	pods, err := l.podsWith(ctx, client.MatchingLabels{v1alpha1.LabelBaseModelHash: render.ModelHash(l.model.Spec.BaseModelName)})
	if err != nil {
		return err
	}
	l.pods = pods
	if len(pods) == 0 {
		l.set(v1alpha1.ConditionServicesFound, false, "NoServicesFound",
			fmt.Sprintf("No pod runs %s: modelRef.name of a graph's service must be the same", l.model.Spec.BaseModelName))
		return nil
	}
	l.set(v1alpha1.ConditionServicesFound, true, "ServicesFound", fmt.Sprintf("%d pods run %s", len(pods), l.model.Spec.BaseModelName))
	return nil
}

// onlyOne refuses a second model of a name on the same workers: each would load
// over the other.
func (l *life) onlyOne(ctx context.Context) error {
	var list v1alpha1.DynamoModelList
	if err := l.Client.List(ctx, &list, client.InNamespace(l.model.Namespace)); err != nil {
		return fmt.Errorf("list the models in namespace %s: %w", l.model.Namespace, err)
	}
	for _, other := range list.Items {
		same := other.Spec.ModelName == l.model.Spec.ModelName && other.Spec.BaseModelName == l.model.Spec.BaseModelName
		if other.Name == l.model.Name || !same || other.Spec.ModelType != v1alpha1.ModelTypeLoRA {
			continue
		}
		if first := cmp.Or(other.CreationTimestamp.Compare(l.model.CreationTimestamp.Time), cmp.Compare(other.Name, l.model.Name)); first < 0 {
			l.LookAgain(later)
			return lifecycle.Refuse(reasonNameTaken, fmt.Sprintf("DynamoModel %s loads %s already: delete one of them, or give it another modelName", other.Name, l.model.Spec.ModelName))
		}
	}
	return nil
}

// retire unloads what the model named before. It is tried again at a steady pace:
// a node that is lost must not hold up the others for longer than it is lost.
func (l *life) retire(ctx context.Context) error {
	old, held := l.held()
	if !held || old == l.wanted() {
		return nil
	}
	if err := l.unloadAll(ctx, old.Name); err != nil {
		l.LookAgain(soon)
		return lifecycle.Refuse("NotReady", err.Error())
	}
	return nil
}

// hold notes what workers will have before they have it, so that it is unloaded
// when the model changes or goes.
func (l *life) hold(ctx context.Context) error {
	if old, held := l.held(); held && old == l.wanted() {
		return nil
	}
	text, err := json.Marshal(l.wanted())
	if err != nil {
		return err
	}
	before := l.model.DeepCopy()
	controllerutil.AddFinalizer(l.model, v1alpha1.Finalizer)
	metav1.SetMetaDataAnnotation(&l.model.ObjectMeta, v1alpha1.AnnotationLoadedAdapter, string(text))
	status := l.model.Status.DeepCopy()
	err = l.Client.Patch(ctx, l.model, client.MergeFrom(before), apply.FieldManager)
	l.model.Status = *status // the answer's is that of before
	if err != nil {
		return fmt.Errorf("note the adapter in model %s/%s: %w", l.model.Namespace, l.model.Name, err)
	}
	return nil
}

func (l *life) wanted() adapter {
	a := adapter{Name: l.model.Spec.ModelName}
	if l.model.Spec.Source != nil {
		a.URI = l.model.Spec.Source.URI
	}
	return a
}

func (l *life) held() (a adapter, held bool) {
	text, noted := l.model.Annotations[v1alpha1.AnnotationLoadedAdapter]
	if !noted || !controllerutil.ContainsFinalizer(l.model, v1alpha1.Finalizer) || json.Unmarshal([]byte(text), &a) != nil {
		return adapter{}, false
	}
	return a, true
}

// load has every worker load the adapter, each at its own speed.
func (l *life) load(ctx context.Context) error {
	have := each(l.pods, func(pod corev1.Pod) possession { return l.ask(ctx, pod) })
	needed := map[loading]bool{}
	for i, pod := range l.pods {
		what := l.loading(pod)
		needed[what] = true
		switch answer := have[i]; {
		case answer.err != nil:
			l.wants[pod.Name] = reason(answer.err)
			l.LookAgain(soon)
		case !answer.has:
			l.wants[pod.Name] = l.calls.ensure(what, func(ctx context.Context) error { return load(ctx, what.worker, what.name, what.from) })
			l.LookAgain(soon)
		}
	}
	l.calls.keep(client.ObjectKeyFromObject(l.model), needed)
	return nil
}

// seeAtFrontends counts a worker only when all frontends of its graph list the
// model: until then requests for it are refused. Workers of a graph whose
// frontends do not see it load it anew.
func (l *life) seeAtFrontends(ctx context.Context) error {
	for graph, workers := range l.byGraph() {
		missing, err := l.missingAt(ctx, graph)
		if err != nil {
			return err
		}
		mend := l.calls.missed(sight{client.ObjectKeyFromObject(l.model), graph}, missing == "")
		if missing == "" {
			continue
		}
		l.LookAgain(soon)
		for _, pod := range workers {
			l.wants[pod.Name] = "has it, but " + missing
			if what := l.loading(pod); mend {
				l.calls.ensure(what, func(ctx context.Context) error {
					return errors.Join(unload(ctx, what.worker, what.name), load(ctx, what.worker, what.name, what.from))
				})
			}
		}
	}
	return nil
}

// byGraph are the workers that have the adapter, by graph. A pod of no graph has
// no frontend that one could know.
func (l *life) byGraph() map[string][]corev1.Pod {
	graphs := map[string][]corev1.Pod{}
	for _, pod := range l.pods {
		if graph := pod.Labels[v1alpha1.LabelGraphDeploymentName]; graph != "" && l.wants[pod.Name] == "" {
			graphs[graph] = append(graphs[graph], pod)
		}
	}
	return graphs
}

// observe counts the workers that serve the model.
func (l *life) observe(context.Context) error {
	lora := l.model.Spec.ModelType == v1alpha1.ModelTypeLoRA
	status := &l.model.Status
	status.Endpoints, status.ReadyEndpoints, status.TotalEndpoints = nil, 0, len(l.pods)
	var why []string
	for _, pod := range l.pods {
		if !lora && !podhttp.IsReady(pod) {
			l.wants[pod.Name] = "is not ready"
		}
		want := l.wants[pod.Name]
		status.Endpoints = append(status.Endpoints, v1alpha1.EndpointInfo{Address: podhttp.Address(pod, "system", 9090), PodName: pod.Name, Ready: want == ""})
		if want == "" {
			status.ReadyEndpoints++
		} else {
			why = append(why, "pod "+pod.Name+": "+want)
		}
	}
	switch {
	case len(l.pods) == 0:
		l.set(v1alpha1.ConditionEndpointsReady, false, "NoEndpoints", "No pod runs "+l.model.Spec.BaseModelName)
	case len(why) > 0:
		l.set(v1alpha1.ConditionEndpointsReady, false, "NotReady",
			fmt.Sprintf("%d/%d serve %s: %s", status.ReadyEndpoints, status.TotalEndpoints, l.model.Spec.ModelName, why[0]))
	case lora:
		l.set(v1alpha1.ConditionEndpointsReady, true, "AllEndpointsReady", fmt.Sprintf("%d/%d serve %s", len(l.pods), len(l.pods), l.model.Spec.ModelName))
		l.LookAgain(later)
	default:
		l.set(v1alpha1.ConditionEndpointsReady, true, "EndpointsDiscovered", fmt.Sprintf("%d pods run it", len(l.pods)))
	}
	return nil
}

// farewell unloads the adapter before the model goes. Workers that do not answer
// stop nobody from deleting it for long.
func (l *life) farewell(ctx context.Context) error {
	l.calls.keep(client.ObjectKeyFromObject(l.model), nil)
	old, held := l.held()
	if !held {
		return nil
	}
	if err := l.findWorkers(ctx); err != nil {
		return err
	}
	err := l.unloadAll(ctx, old.Name)
	if err != nil && time.Since(l.model.DeletionTimestamp.Time) > farewellPatience {
		l.Apply.Tell(l.model, corev1.EventTypeWarning, "LoRAUnloadFailed", "Unload", err.Error())
		return nil
	}
	if err == nil {
		l.Apply.Tell(l.model, corev1.EventTypeNormal, "LoRAUnloaded", "Unload", fmt.Sprintf("Unloaded %s from %d workers", old.Name, len(l.pods)))
	}
	return err
}

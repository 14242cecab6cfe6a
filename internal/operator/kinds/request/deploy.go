package request

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/apply"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// generate takes the graph out of what the Job has left.
func (l *life) generate(ctx context.Context) error {
	if !l.in(v1alpha1.RequestStateProfiling) {
		return nil
	}
	if done, err := l.profiled(ctx); err != nil || !done {
		return err
	}
	found, err := l.result(ctx)
	if err != nil {
		return err
	}
	status := &l.request.Status
	status.ProfilingResults = "configmap/" + render.ProfilingOutput(l.request.Name)
	if status.GeneratedDeployment, err = document(found.graph); err != nil {
		return err
	}
	next := v1alpha1.RequestStateDeploying
	if !l.spec.AutoApply {
		// Until that succeeds the request is not on its way to a graph.
		if err := l.handOn(ctx, found.configMaps, l.request); err != nil {
			return err
		}
		next = v1alpha1.RequestStateReady
	}
	status.State = next
	l.note(v1alpha1.ConditionSpecGenerated, true, "SpecGenerated", "status.generatedDeployment has the graph")
	l.tell("SpecGenerated", "Graph "+found.graph.Name+" is in status.generatedDeployment")
	l.WriteNow()
	return nil
}

func (l *life) result(ctx context.Context) (*result, error) {
	output := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: l.request.Namespace, Name: render.ProfilingOutput(l.request.Name)}
	err := l.Live.Get(ctx, key, output)
	if apierrors.IsNotFound(err) {
		return nil, lifecycle.Refuse(reasonGenerationFailed, fmt.Sprintf("ConfigMap %s with the profiler's results was deleted", key.Name))
	}
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s/%s: %w", key.Namespace, key.Name, err)
	}
	found, err := resultOf(output.Data, l.request, l.spec, l.Config)
	if err != nil {
		return nil, lifecycle.Refuse(reasonGenerationFailed, fmt.Sprintf("ConfigMap %s: %v", key.Name, err))
	}
	return found, nil
}

// document is a graph without what only a stored one has.
func document(graph *v1alpha1.DynamoGraphDeployment) (*runtime.RawExtension, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(graph)
	if err != nil {
		return nil, fmt.Errorf("write down the graph: %w", err)
	}
	delete(fields, "status")
	delete(fields["metadata"].(map[string]any), "creationTimestamp")
	data, err := json.Marshal(fields)
	return &runtime.RawExtension{Raw: data}, err
}

// handOn makes the ConfigMaps that a graph reads. They go with their owner, in
// whose namespace they are.
func (l *life) handOn(ctx context.Context, configMaps []*corev1.ConfigMap, owner client.Object) error {
	for _, configMap := range configMaps {
		configMap.Namespace = owner.GetNamespace()
		err := l.own(ctx, configMap, owner)
		if notOurs := (*apply.NotOursError)(nil); errors.As(err, &notOurs) || refused(err) {
			l.LookAgain(later)
			return lifecycle.Refuse(reasonConfigMapCreationFailed, err.Error())
		}
		if err != nil {
			return fmt.Errorf("create ConfigMap %s/%s: %w", configMap.Namespace, configMap.Name, err)
		}
	}
	return nil
}

// refused: the API server, or a webhook, does not take the object as it is.
func refused(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) }

// deploy makes the graph. Nobody owns it: it serves on when its request is gone.
func (l *life) deploy(ctx context.Context) error {
	status := &l.request.Status
	if !l.in(v1alpha1.RequestStateDeploying) || status.Deployment != nil {
		return nil
	}
	// Graph and ConfigMaps are those of one reading, and so is what is shown.
	found, err := l.result(ctx)
	if err != nil {
		return err
	}
	if status.GeneratedDeployment, err = document(found.graph); err != nil {
		return err
	}
	if err := l.entitled(ctx, found); err != nil {
		return err
	}
	graph := found.graph
	if err := l.create(ctx, graph); err != nil {
		return err
	}
	if err := l.handOn(ctx, found.configMaps, graph); err != nil {
		return err
	}
	status.Deployment = &v1alpha1.RequestDeploymentStatus{Name: graph.Name, Namespace: graph.Namespace, Created: true}
	l.note(v1alpha1.ConditionDeploymentReady, false, "DeploymentCreated", "Graph "+graph.Name+" is created")
	l.tell("DeploymentCreated", "Created graph "+graph.Namespace+"/"+graph.Name)
	l.WriteNow()
	return nil
}

// create stores in graph what the cluster then has. One that exists is taken if it
// was made for this request.
func (l *life) create(ctx context.Context, graph *v1alpha1.DynamoGraphDeployment) error {
	marks := graph.Labels
	err := l.Client.Create(ctx, graph, apply.FieldManager)
	if apierrors.IsAlreadyExists(err) {
		if err = l.Live.Get(ctx, client.ObjectKeyFromObject(graph), graph); err == nil && !l.madeFor(graph, marks) {
			return l.notDeployed(fmt.Sprintf("there is a graph %s/%s that was not made for this request: delete it, or choose another spec.deploymentOverrides.name", graph.Namespace, graph.Name))
		}
	}
	if refused(err) {
		return l.notDeployed(err.Error())
	}
	if err != nil {
		return fmt.Errorf("create graph %s/%s: %w", graph.Namespace, graph.Name, err)
	}
	return nil
}

func (l *life) madeFor(graph *v1alpha1.DynamoGraphDeployment, marks map[string]string) bool {
	for _, key := range []string{v1alpha1.LabelRequestName, v1alpha1.LabelRequestNamespace, v1alpha1.LabelRequestUID} {
		if graph.Labels[key] != marks[key] {
			return false
		}
	}
	return true
}

func (l *life) notDeployed(why string) error {
	l.LookAgain(later)
	return lifecycle.Refuse(reasonDeploymentCreationFailed, why)
}

// entitled: a request makes objects in another namespace only if who can do
// anything in its own could make them there, too. It is asked about the account of
// profiling Jobs, by which the other namespace can say so; where authors of graphs
// are asked about, about all that they are asked.
func (l *life) entitled(ctx context.Context, found *result) error {
	namespace := found.graph.Namespace
	if namespace == l.request.Namespace {
		return nil
	}
	serves, _, err := l.Scope.Serves(ctx, namespace)
	if err != nil {
		return err
	}
	if !serves {
		return l.notDeployed(fmt.Sprintf("namespace %s is served by an operator of its own: make the request there", namespace))
	}
	needed := []authorizationv1.ResourceAttributes{{Verb: "create", Group: v1alpha1.GroupName, Resource: "dynamographdeployments"}}
	if len(found.configMaps) > 0 {
		needed = append(needed, authorizationv1.ResourceAttributes{Verb: "create", Resource: "configmaps"})
	}
	if l.Config.Server.Webhook.AuthorizeAuthors {
		for _, right := range validate.GraphRights(found.graph, l.Config) {
			needed = append(needed, right.Attributes)
		}
	}
	for _, attributes := range needed {
		allowed, err := l.allowed(ctx, namespace, attributes)
		if err != nil {
			return err
		}
		if !allowed {
			return l.notDeployed(fmt.Sprintf("namespace %s does not let requests of namespace %s %s %s: make the request there",
				namespace, l.request.Namespace, attributes.Verb, attributes.Resource))
		}
	}
	return nil
}

// allowed asks whether the account of profiling Jobs may do something in another
// namespace.
func (l *life) allowed(ctx context.Context, namespace string, attributes authorizationv1.ResourceAttributes) (bool, error) {
	own := l.request.Namespace
	attributes.Namespace = namespace
	review := &authorizationv1.LocalSubjectAccessReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               lifecycle.ServiceAccountUser(own, render.ProfilingServiceAccount),
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + own, "system:authenticated"},
			ResourceAttributes: &attributes,
		},
	}
	if err := l.Client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask what namespace %s lets requests of %s do: %w", namespace, own, err)
	}
	return review.Status.Allowed, nil
}

// observe takes over how the graph does.
func (l *life) observe(ctx context.Context) error {
	status := &l.request.Status
	if status.Deployment == nil || !l.in(v1alpha1.RequestStateDeploying) && !l.in(v1alpha1.RequestStateReady) {
		return nil
	}
	graph := &v1alpha1.DynamoGraphDeployment{}
	key := client.ObjectKey{Namespace: status.Deployment.Namespace, Name: status.Deployment.Name}
	err := l.Client.Get(ctx, key, graph)
	if apierrors.IsNotFound(err) {
		err = l.Live.Get(ctx, key, graph) // the cache may not have it yet
	}
	if apierrors.IsNotFound(err) || err == nil && graph.Labels[v1alpha1.LabelRequestUID] != string(l.request.UID) {
		status.State, status.Deployment.State = v1alpha1.RequestStateDeploymentDeleted, ""
		message := fmt.Sprintf("Graph %s/%s was deleted: to have it again, delete the request and create it anew", key.Namespace, key.Name)
		l.note(v1alpha1.ConditionDeploymentReady, false, "DeploymentDeleted", message)
		l.warn("DeploymentDeleted", message)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read graph %s/%s: %w", key.Namespace, key.Name, err)
	}
	l.follow(graph)
	return nil
}

// follow believes a graph only about its present spec: what is known of an earlier
// one stays until the graph's report on this one wakes the request.
func (l *life) follow(graph *v1alpha1.DynamoGraphDeployment) {
	status := &l.request.Status
	before := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDeploymentReady)
	current := graph.Status.ObservedGeneration == graph.Generation
	if !current && before != nil {
		return
	}
	status.Deployment.State = string(graph.Status.State)
	if current && graph.Status.State == v1alpha1.GraphStateSuccessful {
		status.State = v1alpha1.RequestStateReady
		if l.note(v1alpha1.ConditionDeploymentReady, true, "DeploymentReady", "Graph "+graph.Name+" is ready") {
			l.tell("DeploymentReady", "Graph "+graph.Name+" is ready")
		}
		return
	}
	message := "Graph " + graph.Name + " is not ready"
	if ready := meta.FindStatusCondition(graph.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		message += ": " + ready.Message
	}
	reason := "DeploymentCreated"
	if before != nil && (before.Status == metav1.ConditionTrue || before.Reason == "DeploymentDegraded") {
		reason = "DeploymentDegraded"
	}
	status.State = v1alpha1.RequestStateDeploying
	if l.note(v1alpha1.ConditionDeploymentReady, false, reason, message) && reason == "DeploymentDegraded" {
		l.warn(reason, message)
	}
}

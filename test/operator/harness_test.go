// Package operator tests the operator against a real API server and
// controller-manager. Pods are created there but run nowhere, so the tests play
// the kubelet. Every operator runs under exactly the rights that
// manager.PermissionsFor names.
package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

var shared *cluster.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(cluster.Main(m, &shared))
}

const (
	plannerRole = "test-planner"
	pickerRole  = "test-picker"
)

// admin is a client with all rights on a cluster that has our kinds.
var admin = sync.OnceValues(func() (client.Client, error) {
	scheme := manager.Scheme()
	if err := errors.Join(apiextensionsv1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme),
		autoscalingv1.AddToScheme(scheme), autoscalingv2.AddToScheme(scheme), eventsv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(shared.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	if err := cluster.InstallKinds(c); err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: plannerRole}}
	role.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"nvidia.com"}, Resources: []string{"dynamographdeployments"}, Verbs: []string{"get", "patch"}}}
	reads := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: pickerRole}}
	reads.Rules = []rbacv1.PolicyRule{{APIGroups: []string{inferenceapi.GroupVersion.Group}, Resources: []string{"inferencepools"}, Verbs: []string{"get"}}}
	return c, errors.Join(c.Create(context.Background(), role), c.Create(context.Background(), reads))
})

func adminClient(t *testing.T) client.Client {
	t.Helper()
	c, err := admin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operatorProcess is an operator of this test binary.
type operatorProcess struct {
	// writes counts all requests that change something, but for Leases.
	writes atomic.Int64
	// statuses counts the writes of each object's status, by its path.
	statuses tally
	// eventLists counts the lists of events, of which nobody keeps copies: the API
	// server goes through all of a namespace for each.
	eventLists atomic.Int64
	stop       func() error
}

// start runs an operator until the test ends or stop is called.
func start(t *testing.T, change func(*config.OperatorConfiguration)) *operatorProcess {
	t.Helper()
	cfg := config.Default()
	cfg.Server.HealthProbe.BindAddress = config.Off
	cfg.LeaderElection.Enabled = false
	cfg.RBAC.PlannerClusterRoleName, cfg.RBAC.EPPClusterRoleName = plannerRole, pickerRole
	change(cfg)

	operator := &operatorProcess{}
	user := fmt.Sprintf("operator-%d", operators.Add(1))
	grant(t, user, cfg)
	restConfig := rest.CopyConfig(shared.Config)
	restConfig.Impersonate = rest.ImpersonationConfig{UserName: user}
	watchdog := cluster.Watchdog{Forbidden: &sync.Map{}}
	restConfig.Wrap(func(next http.RoundTripper) http.RoundTripper {
		watchdog.Next = next
		return &counter{watchdog, operator}
	})

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx, cfg, restConfig, logr.Discard()) }()
	operator.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := operator.stop(); err != nil {
			t.Errorf("the operator of %s: %v", user, err)
		}
		watchdog.Report(t)
	})
	return operator
}

// settled waits until an operator has written nothing for a second, events included,
// which go their own way, and returns how much it has written.
func (o *operatorProcess) settled(t *testing.T) int64 {
	t.Helper()
	last := int64(-1)
	cluster.Eventually(t, "an operator that writes nothing any more", func() error {
		before := o.writes.Load()
		time.Sleep(time.Second)
		if last = o.writes.Load(); last != before {
			return fmt.Errorf("%d writes within a second", last-before)
		}
		return nil
	})
	return last
}

var operators atomic.Int32

// counter counts an operator's writes.
type counter struct {
	next     http.RoundTripper
	operator *operatorProcess
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/leases") {
		c.operator.writes.Add(1)
	}
	if object, isStatus := strings.CutSuffix(request.URL.Path, "/status"); isStatus {
		c.operator.statuses.add(object)
	}
	if request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/events") && request.URL.Query().Get("watch") == "" {
		c.operator.eventLists.Add(1)
	}
	return c.next.RoundTrip(request)
}

// grant gives a user the rights of an operator with this configuration.
func grant(t *testing.T, user string, cfg *config.OperatorConfiguration) {
	t.Helper()
	c := adminClient(t)
	permissions := manager.PermissionsFor(cfg)
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	create := func(objects ...client.Object) {
		for _, object := range objects {
			if err := c.Create(context.Background(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
	in := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	role := func(namespace, name string, rules []rbacv1.PolicyRule) {
		create(
			&rbacv1.Role{ObjectMeta: in(namespace, name), Rules: rules},
			&rbacv1.RoleBinding{ObjectMeta: in(namespace, name), Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}},
		)
	}
	clusterRole := func(name string, rules []rbacv1.PolicyRule) {
		create(
			&rbacv1.ClusterRole{ObjectMeta: in("", name), Rules: rules},
			&rbacv1.ClusterRoleBinding{ObjectMeta: in("", name), Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}},
		)
	}
	if cfg.ClusterWide() {
		clusterRole(user, permissions.Served)
	} else {
		role(cfg.Namespace.Restricted, user, permissions.Served)
	}
	if len(permissions.Metrics) > 0 {
		clusterRole(user+"-metrics", permissions.Metrics)
	}
	if len(permissions.Queues) > 0 {
		clusterRole(user+"-queues", permissions.Queues)
	}
	if cfg.LeaderElection.Enabled {
		role(cfg.LeaderElection.Namespace, user+"-election", permissions.Election)
	}
}

// namespace makes a namespace of its own for a test.
func namespace(t *testing.T) string {
	t.Helper()
	c := adminClient(t)
	name := cluster.Namespace(t, c)
	// The controller-manager makes it, and the operator reads it.
	cluster.Eventually(t, "the default ServiceAccount", func() error {
		return c.Get(context.Background(), client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	})
	return name
}

// parse reads an object from YAML and puts it into a namespace.
func parse[T any, P interface {
	*T
	client.Object
}](t *testing.T, namespace, text string) P {
	t.Helper()
	object := P(new(T))
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	object.SetNamespace(namespace)
	return object
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := adminClient(t).Create(context.Background(), object); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, namespace, name string, object client.Object) {
	t.Helper()
	c := adminClient(t)
	cluster.Eventually(t, "read "+namespace+"/"+name, func() error {
		return c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	})
}

// change edits the live object until the API server takes the edit.
func change[T client.Object](t *testing.T, object T, edit func(T)) {
	t.Helper()
	c := adminClient(t)
	cluster.Eventually(t, "edit "+object.GetName(), func() error {
		if err := c.Get(context.Background(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit(object)
		return c.Update(context.Background(), object)
	})
}

func gone(t *testing.T, namespace, name string, object client.Object) {
	t.Helper()
	cluster.Eventually(t, name+" is deleted", func() error {
		err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it exists, or cannot be read: %w", err)
	})
}

func absent(t *testing.T, list client.ObjectList, namespace string) {
	t.Helper()
	if err := adminClient(t).List(context.Background(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if n := meta.LenList(list); n > 0 {
		t.Errorf("%d objects in %T, want none", n, list)
	}
}

// condition waits until a graph reports on its present generation and check is
// content with the Ready condition.
func condition(t *testing.T, namespace, name string, check func(metav1.Condition) bool) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	cluster.Eventually(t, "the status of graph "+name, func() (err error) {
		found, err = reportedBy(t, namespace, name, check)
		return err
	})
	return found
}

// reportedBy is a graph's Ready condition, and why it is not yet what is waited for.
func reportedBy(t *testing.T, namespace, name string, check func(metav1.Condition) bool) (metav1.Condition, error) {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	get(t, namespace, name, dgd)
	ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != dgd.Generation || dgd.Status.ObservedGeneration != dgd.Generation {
		return metav1.Condition{}, fmt.Errorf("generation %d is not reported on: %+v", dgd.Generation, dgd.Status)
	}
	if !check(*ready) {
		return *ready, fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	return *ready, nil
}

func isReady(c metav1.Condition) bool { return c.Status == metav1.ConditionTrue }

func says(text string) func(metav1.Condition) bool {
	return func(c metav1.Condition) bool {
		return c.Status == metav1.ConditionFalse && strings.Contains(c.Reason+": "+c.Message, text)
	}
}

// pods returns the pods of a component that are not going away.
func pods(t *testing.T, namespace, component string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelSelector: component})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// podsOf returns the pods that a selector picks, as the scale subresource has it.
func podsOf(t *testing.T, namespace, selector string) []corev1.Pod {
	t.Helper()
	parsed, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	var list corev1.PodList
	if err := adminClient(t).List(context.Background(), &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: parsed}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// kubelet plays the kubelet: it sets the status of the component's pods to what
// it is told until stopped says so.
func kubelet(t *testing.T, namespace, component string, status corev1.PodStatus, stopped func() error) {
	t.Helper()
	cluster.Eventually(t, "pods of "+component, func() error {
		if err := setPods(t, namespace, component, status); err != nil {
			return err
		}
		return stopped()
	})
}

// setPods gives the pods that a component has now a status.
func setPods(t *testing.T, namespace, component string, status corev1.PodStatus) error {
	t.Helper()
	for _, pod := range pods(t, namespace, component) {
		if pod.Status.Phase == status.Phase && len(pod.Status.Conditions) == len(status.Conditions) {
			continue
		}
		pod.Status = status
		if err := adminClient(t).Status().Update(context.Background(), &pod); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

var running = corev1.PodStatus{
	Phase: corev1.PodRunning,
	Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue},
	},
}

// allRun makes all pods of the components ready and waits for the graph.
func allRun(t *testing.T, namespace, graph string, components ...string) {
	t.Helper()
	for _, component := range components {
		kubelet(t, namespace, component, running, func() error {
			dcd := &v1alpha1.DynamoComponentDeployment{}
			if err := adminClient(t).Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: component}, dcd); err != nil {
				return err
			}
			available := meta.FindStatusCondition(dcd.Status.Conditions, v1alpha1.ConditionAvailable)
			if available == nil || dcd.Status.ObservedGeneration != dcd.Generation || available.Status != metav1.ConditionTrue {
				return fmt.Errorf("%s is not available: %+v", component, dcd.Status)
			}
			return nil
		})
	}
	if graph == "" {
		return
	}
	// A component that was available may not have been told yet of the graph's
	// latest change: its pods to come are made ready, too.
	cluster.Eventually(t, "graph "+graph+" is ready", func() error {
		for _, component := range components {
			if err := setPods(t, namespace, component, running); err != nil {
				return err
			}
		}
		_, err := reportedBy(t, namespace, graph, isReady)
		return err
	})
}

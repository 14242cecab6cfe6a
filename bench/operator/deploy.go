package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const configuration = `apiVersion: operator.config.dynamo.nvidia.com/v1alpha1
kind: OperatorConfiguration
namespace: {restricted: %s}
leaderElection: {enabled: false}
server:
  metrics: {bindAddress: %s, secure: false}
  healthProbe: {bindAddress: "0"}
`

// patience bounds each wait.
const patience = 15 * time.Minute

// deployed are graphs with all that comes of them.
type deployed struct {
	namespace   string
	graphs      int
	took, floor time.Duration
	// writes and events per graph, until the operator has nothing to do.
	writes, events float64
	operator       *operator
}

// children are the objects that come of one graph: three components, each with a
// Deployment and a Service, and an account with its role.
const children = 3*3 + 3

// statuses are two of the graph, pending and deployed, and one of each component,
// which is an object with a status of its own.
const statuses = 2 + 3

func name(i int) string { return fmt.Sprintf("graph-%04d", i) }

// deploy is the time from the start of an operator, for which graphs wait, to the
// last Deployment, and then what the floor takes for the same objects.
func (b *bench) deploy(ctx context.Context, graphs int) (*deployed, error) {
	fmt.Printf("==> %d graphs\n", graphs)
	d := &deployed{namespace: fmt.Sprintf("graphs-%d", graphs), graphs: graphs}
	copied := d.namespace + "-floor"
	if err := b.createNamespaces(ctx, d.namespace, copied); err != nil {
		return nil, err
	}
	group, grouped := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i := range graphs {
		group.Go(func() error {
			g, err := b.written(graph(d.namespace, name(i)))
			if err != nil {
				return err
			}
			return b.admin.Create(grouped, g)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	began := time.Now()
	err := b.alone(func() (err error) {
		if d.operator, err = b.startOperator(ctx, d.namespace); err != nil {
			return err
		}
		err = b.await(ctx, d.namespace, appsv1.SchemeGroupVersion.WithKind("Deployment"), 3*graphs)
		d.took = time.Since(began)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := b.await(ctx, d.namespace, corev1.SchemeGroupVersion.WithKind("Pod"), 3*graphs); err != nil {
		return nil, err
	}
	if err := b.settled(ctx); err != nil {
		return nil, err
	}
	writes, events, err := b.wrote(began)
	if err != nil {
		return nil, err
	}
	d.writes, d.events = float64(writes)/float64(graphs), float64(events)/float64(graphs)
	return d, b.alone(func() (err error) {
		if d.floor, err = b.floor(ctx, d.namespace, copied); err != nil {
			return err
		}
		return b.admin.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(copied)) // nobody needs their pods
	})
}

// alone does something while the controllers of Kubernetes are held.
func (b *bench) alone(do func() error) error {
	release, err := b.cluster.HoldControllers()
	if err != nil {
		return err
	}
	return errors.Join(do(), release())
}

// settled waits until the operator writes no more.
func (b *bench) settled(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; {
		quiet := time.Now()
		time.Sleep(10 * time.Second)
		if writes, events, err := b.wrote(quiet); err != nil || writes+events == 0 {
			return err
		}
	}
	return errors.New("the operator never ends to write")
}

// wrote counts what the operator has written, but for Leases. A conflict is what
// creating an object is answered that the cache does not have yet. Events, of which the
// published operator too makes one for each child, are counted apart.
func (b *bench) wrote(since time.Time) (objects, events int, err error) {
	requests, err := b.cluster.Requests("operator/", since)
	for _, request := range requests {
		switch {
		case !request.Writes() || request.ObjectRef.Resource == "leases" || request.Response.Code == http.StatusConflict:
		case request.ObjectRef.Resource == "events":
			events++
		default:
			objects++
		}
	}
	return objects, events, err
}

// floor applies the children of the graphs of one namespace in another.
func (b *bench) floor(ctx context.Context, from, to string) (time.Duration, error) {
	objects, err := b.export(ctx, from, to)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(b.dir, to+".json")
	if err := os.WriteFile(file, objects, 0o600); err != nil {
		return 0, err
	}
	began := time.Now()
	out, err := exec.CommandContext(ctx, filepath.Join(b.dir, "floor"), b.cluster.Kubeconfig, file).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("the floor: %w\n%s", err, out)
	}
	return time.Since(began), nil
}

func printDeployed(all ...*deployed) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nGRAPHS\tOPERATOR, UNTIL ALL DEPLOYMENTS ARE THERE\tAPPLIED IN PARALLEL\tRATIO\tWRITES PER GRAPH\tEVENTS PER GRAPH")
	for _, d := range all {
		fmt.Fprintf(table, "%d\t%.1f s\t%.1f s\t%.1f\t%.1f\t%.1f\n", d.graphs, d.took.Seconds(), d.floor.Seconds(), d.took.Seconds()/d.floor.Seconds(), d.writes, d.events)
	}
	_ = table.Flush() // to the terminal
}

func (b *bench) createNamespaces(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := b.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	return nil
}

// editOne changes the frontend of a graph, and waits for its Deployment.
func (b *bench) editOne(ctx context.Context, namespace, name string) (time.Duration, error) {
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if err := b.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, dgd); err != nil {
		return 0, err
	}
	before, err := b.written(dgd)
	if err != nil {
		return 0, err
	}
	dgd = dgd.DeepCopy()
	dgd.Spec.Services["Frontend"].Envs = []corev1.EnvVar{{Name: "EDITED", Value: "yes"}}
	after, err := b.written(dgd)
	if err != nil {
		return 0, err
	}
	changes, err := b.admin.Watch(ctx, &appsv1.DeploymentList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name + "-frontend"})
	if err != nil {
		return 0, err
	}
	defer changes.Stop()
	began := time.Now()
	if err := b.admin.Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return 0, err
	}
	for {
		select {
		case event, open := <-changes.ResultChan():
			if !open {
				return 0, fmt.Errorf("the edit of graph %s: the watch of its Deployment has ended", name)
			}
			deployment, is := event.Object.(*appsv1.Deployment)
			if is && slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == "EDITED" }) {
				return time.Since(began), nil
			}
		case <-time.After(patience):
			return 0, fmt.Errorf("the edit of graph %s never reaches its Deployment", name)
		}
	}
}

func graph(namespace, name string) *v1alpha1.DynamoGraphDeployment {
	service := func(componentType string) *v1alpha1.DynamoComponentDeploymentSharedSpec {
		container := corev1.Container{Image: "registry.example.com/runtime:1", Command: []string{"python3", "-m", "dynamo.vllm"}}
		return &v1alpha1.DynamoComponentDeploymentSharedSpec{
			ComponentType: componentType, ExtraPodSpec: &v1alpha1.ExtraPodSpec{MainContainer: &container},
		}
	}
	return &v1alpha1.DynamoGraphDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.DynamoGraphDeploymentSpec{Services: map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{
			"Frontend": service("frontend"), "Prefill": service("worker"), "Decode": service("worker"),
		}},
	}
}

// await waits for so many objects of a kind.
func (b *bench) await(ctx context.Context, namespace string, kind schema.GroupVersionKind, want int) error {
	found := 0
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		// A list of all, ten times in a second, would keep the API server busy.
		if err := b.admin.List(ctx, list, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return err
		}
		found = len(list.Items)
		if list.RemainingItemCount != nil {
			found += int(*list.RemainingItemCount)
		}
		if found >= want {
			return nil
		}
	}
	return fmt.Errorf("%d of %d objects of kind %s in namespace %s", found, want, kind.Kind, namespace)
}

// export is what came of the graphs of one namespace, as the floor reads it, for
// another.
func (b *bench) export(ctx context.Context, from, to string) ([]byte, error) {
	var out bytes.Buffer
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind(v1alpha1.KindComponentDeployment),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"), rbacv1.SchemeGroupVersion.WithKind("Role"), rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
		corev1.SchemeGroupVersion.WithKind("Service"), appsv1.SchemeGroupVersion.WithKind("Deployment"),
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := b.admin.List(ctx, list, client.InNamespace(from)); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			if item.GetName() == "default" && item.GetKind() == "ServiceAccount" {
				continue
			}
			fields := map[string]any{"apiVersion": item.GetAPIVersion(), "kind": item.GetKind(), "metadata": map[string]any{
				"name": item.GetName(), "namespace": to, "labels": item.Object["metadata"].(map[string]any)["labels"],
			}}
			for key, value := range item.Object {
				if key != "status" && fields[key] == nil {
					fields[key] = value
				}
			}
			unstructured.RemoveNestedField(fields, "spec", "clusterIP")
			unstructured.RemoveNestedField(fields, "spec", "clusterIPs")
			if err := json.NewEncoder(&out).Encode(fields); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

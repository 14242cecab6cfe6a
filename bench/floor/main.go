// Command floor is the least that any installer has to do: it applies objects
// on the server, with 32 workers, and nothing else. It takes a kubeconfig and a
// file with one JSON object per line; namespaces come first.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

const workers = 32

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: floor KUBECONFIG OBJECTS")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, file string) error {
	objects, err := read(file)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	config.UserAgent = "floor"
	client, mapper, err := connect(config)
	if err != nil {
		return err
	}
	var namespaces, rest []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "Namespace" {
			namespaces = append(namespaces, object)
		} else {
			rest = append(rest, object)
		}
	}
	if err := apply(ctx, client, mapper, namespaces); err != nil {
		return err
	}
	return apply(ctx, client, mapper, rest)
}

func read(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var objects []*unstructured.Unstructured
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal(lines.Bytes(), &object.Object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, lines.Err()
}

func connect(config *rest.Config) (dynamic.Interface, meta.RESTMapper, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	groups, err := restmapper.GetAPIGroupResources(discoverer)
	if err != nil {
		return nil, nil, err
	}
	return client, restmapper.NewDiscoveryRESTMapper(groups), nil
}

func apply(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, object := range objects {
		gvk := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return err
		}
		group.Go(func() error {
			var target dynamic.ResourceInterface = client.Resource(mapping.Resource)
			if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
				target = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
			}
			_, err := target.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "floor", Force: true})
			return err
		})
	}
	return group.Wait()
}

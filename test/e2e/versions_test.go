//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	converts      = "wheelhouse-system"
	versionsFleet = "test/e2e/testdata/versions/fleet.yaml"
)

// versions: a graph in v1beta1 runs; requests in both versions go on, 20 a second,
// through all that happens to what converts; and when nobody converts, what is
// stored can still be read and written.
func versions(t *testing.T) {
	const namespace = "team-a"
	run(t, "wheelhouse", "deps", "lock", "-f", versionsFleet, "--update")
	run(t, "wheelhouse", "apply", "-f", versionsFleet, "--yes")
	run(t, "kubectl", "apply", "--server-side", "-n", namespace, "-f", "test/e2e/testdata/versions/graph.yaml")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/newest")
	pods := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/dynamo-graph-deployment-name=newest", "-o", "jsonpath={.items[*].metadata.uid}")
	if out := run(t, "kubectl", "get", "-n", namespace, "dynamographdeployments.v1alpha1.nvidia.com", "newest", "-o", "jsonpath={.spec.services.Worker.componentType}"); out != "worker" {
		t.Errorf("in v1alpha1 its worker is a %q", out)
	}

	requests := begin(t, namespace, "newest")
	step := func(what string, args ...string) {
		t.Helper()
		run(t, args...)
		run(t, "kubectl", "rollout", "status", "-n", converts, "deployment/dynamo-conversion", "--timeout=90s")
		if made, failed := requests.since(); len(failed) > 0 || made == 0 {
			t.Errorf("%s: %d of %d requests failed, such as: %v", what, len(failed), made, failed[:min(len(failed), 3)])
		}
	}
	step("before anything happens", "kubectl", "get", "-n", namespace, "dgd")
	first := strings.Fields(run(t, "kubectl", "get", "pods", "-n", converts, "-l", "app.kubernetes.io/name=dynamo-conversion", "-o", "jsonpath={.items[*].metadata.name}"))[0]
	step("one pod is deleted", "kubectl", "delete", "pod", "-n", converts, first, "--wait")
	step("its program is replaced", "kubectl", "rollout", "restart", "-n", converts, "deployment/dynamo-conversion")
	run(t, "kubectl", "delete", "secret", "-n", converts, "dynamo-conversion-certificate")
	step("its certificate is made anew", "wheelhouse", "apply", "-f", versionsFleet, "--yes")
	step("the definitions are upgraded", "wheelhouse", "apply", "-f", versionsFleet, "--yes", "--set", "crds.conversion.certificateValidity=300")
	step("and go back", "wheelhouse", "apply", "-f", versionsFleet, "--yes")
	requests.end()

	if now := run(t, "kubectl", "get", "pods", "-n", namespace, "-l", "nvidia.com/dynamo-graph-deployment-name=newest", "-o", "jsonpath={.items[*].metadata.uid}"); now != pods {
		t.Errorf("the graph's pods were %s, and are %s", pods, now)
	}
	nobodyConverts(t, namespace)
	run(t, "kubectl", "delete", "-n", namespace, "dynamographdeployment/newest")
	run(t, "kubectl", "wait", "-n", namespace, "--for=delete", "pod", "-l", "nvidia.com/dynamo-graph-deployment-name=newest", "--timeout=90s")

	run(t, "wheelhouse", "apply", "-f", fleet, "--yes", "--prune", "--accept-crd-breakage")
	if out := run(t, "helm", "list", "-n", converts, "-q"); out != "" {
		t.Errorf("once no file asks for it, there still is release %s", out)
	}
	if _, err := command("kubectl", "get", "-n", namespace, "dynamographdeployments.v1beta1.nvidia.com"); err == nil {
		t.Error("v1beta1 is still served")
	}
	// kubectl remembers for ten minutes that there was a newer version.
	if err := os.RemoveAll(os.Getenv("KUBECACHEDIR")); err != nil {
		t.Fatal(err)
	}
	run(t, "kubectl", "get", "-n", namespace, "dynamographdeployment/chat")
}

// nobodyConverts: without its pods, what is stored is read and written, and the
// operator goes on.
func nobodyConverts(t *testing.T, namespace string) {
	run(t, "kubectl", "scale", "-n", converts, "deployment/dynamo-conversion", "--replicas=0")
	run(t, "kubectl", "wait", "-n", converts, "--for=delete", "pod", "-l", "app.kubernetes.io/name=dynamo-conversion", "--timeout=60s")
	// Reads may still be answered from the API server's cache.
	if _, err := command("kubectl", "annotate", "-n", namespace, "dynamographdeployments.v1beta1.nvidia.com", "newest", "example.com/n-"); err == nil || !strings.Contains(err.Error(), "dynamo-conversion") {
		t.Errorf("who writes v1beta1 is not told what is missing: %v", err)
	}
	run(t, "kubectl", "get", "-n", namespace, "dynamographdeployments.v1alpha1.nvidia.com", "newest")
	run(t, "kubectl", "patch", "-n", namespace, "dynamographdeployments.v1alpha1.nvidia.com", "newest", "--type=merge",
		"-p", `{"spec":{"services":{"Frontend":{"replicas":2}}}}`)
	eventually(t, 60*time.Second, func() error {
		if out := run(t, "kubectl", "get", "-n", namespace, "deployment/newest-frontend", "-o", "jsonpath={.spec.replicas}"); out != "2" {
			return fmt.Errorf("the operator has made %s replicas", out)
		}
		return nil
	})
	run(t, "kubectl", "patch", "-n", namespace, "dynamographdeployments.v1alpha1.nvidia.com", "newest", "--type=merge",
		"-p", `{"spec":{"services":{"Frontend":{"replicas":1}}}}`)
	run(t, "wheelhouse", "apply", "-f", versionsFleet, "--yes", "--drift")
	run(t, "kubectl", "get", "-n", namespace, "dynamographdeployments.v1beta1.nvidia.com", "newest")
	run(t, "kubectl", "wait", "-n", namespace, "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/newest")
}

// traffic is requests that are made all the time, reads and writes, in both versions.
type traffic struct {
	results chan error
	cancel  context.CancelFunc
}

func begin(t *testing.T, namespace, graph string) *traffic {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(filepath.Base(os.Getenv("KUBECONFIG")), err)
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &traffic{results: make(chan error, 100_000), cancel: cancel}
	for _, version := range []string{"v1alpha1", "v1beta1"} {
		graphs := client.Resource(schema.GroupVersionResource{Group: "nvidia.com", Version: version, Resource: "dynamographdeployments"}).Namespace(namespace)
		go r.repeat(ctx, version, func(int) error {
			_, err := graphs.Get(ctx, graph, metav1.GetOptions{})
			return err
		})
		go r.repeat(ctx, version, func(n int) error {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/%s":"%d"}}}`, version, n)
			_, err := graphs.Patch(ctx, graph, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		})
	}
	return r
}

// repeat makes one request after the other, at most five a second.
func (r *traffic) repeat(ctx context.Context, version string, request func(int) error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		err := request(n)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = fmt.Errorf("%s, after %s: %w", version, time.Since(began).Round(time.Millisecond), err)
		}
		r.results <- err
		<-tick.C
	}
}

// since returns how many requests there were since it was last asked, and what
// became of those that failed.
func (r *traffic) since() (made int, failed []error) {
	for {
		select {
		case err := <-r.results:
			made++
			if err != nil {
				failed = append(failed, err)
			}
		default:
			return made, failed
		}
	}
}

func (r *traffic) end() { r.cancel() }

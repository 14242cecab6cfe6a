package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are what scripts say beside testscript's own words:
//
//	[!] has RESOURCE NAMESPACE NAME      ("-" for no namespace; PLURAL.GROUP for custom kinds)
//	await RESOURCE NAMESPACE NAME        until Kubernetes has made it
//	delete RESOURCE NAMESPACE NAME       and wait until it is gone
//	merge RESOURCE NAMESPACE NAME JSON   a merge patch by another field manager
//	private FILE                         only its owner may read it
//	grant FILE                           applies the manifests in what a command printed
//	scale NAMESPACE DEPLOYMENT REPLICAS  as an autoscaler does
//	create FILE [MANAGER]                of any kind, by another program
//	[!] shows RESOURCE NAMESPACE NAME REGEXP   matches the object as JSON
//	uids FILE NAMESPACE [RESOURCE[/NAME]...]  writes the identity of what is in it
//	same-uids FILE NAMESPACE [RESOURCE[/NAME]...]  all of that is still there
//	pending NAMESPACE RELEASE REVISION   what a killed helm leaves behind
//	versions FILE NAMESPACE...           writes the resource versions of what releases own
//	[!] same FILE FILE                   compares such files
//	exec-code CODE PROGRAM ARG...        exec that must end with an exit code
//	locked NAMESPACE FLEET SECONDS       the lock of a client that has just died
//	hold NAMESPACE                       deletes it while its ConfigMap "hold" keeps it
//	release NAMESPACE                    lets it go
//	bind NAMESPACE CLAIM CLASS yes|no    gives a claim its volume, of a class that allows expansion or not
//	node NAME POOL                       registers a node on which nothing runs
//	agents NAMESPACE COUNT               lets so many chrek agents get ready
func commands() map[string]command {
	return map[string]command{
		"has": has, "await": await, "delete": remove, "merge": merge, "create": create, "pending": pending, "versions": versions, "same": same,
		"exec-code": execCode, "locked": locked, "hold": hold, "release": release,
		"scale": scale, "grant": grant, "private": private, "shows": shows, "uids": uids, "same-uids": sameUIDs,
		"node": node, "agents": agents, "bind": bind,
	}
}

var resources = map[string]schema.GroupVersionResource{
	"configmaps":          {Version: "v1", Resource: "configmaps"},
	"secrets":             {Version: "v1", Resource: "secrets"},
	"services":            {Version: "v1", Resource: "services"},
	"resourcequotas":      {Version: "v1", Resource: "resourcequotas"},
	"clusterrolebindings": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	"serviceaccounts":     {Version: "v1", Resource: "serviceaccounts"},
	"roles":               {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"rolebindings":        {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"namespaces":          {Version: "v1", Resource: "namespaces"},
	"claims":              {Version: "v1", Resource: "persistentvolumeclaims"},
	"pods":                {Version: "v1", Resource: "pods"},
	"statefulsets":        {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"daemonsets":          {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"deployments":         {Group: "apps", Version: "v1", Resource: "deployments"},
	"clusterroles":        {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"crds":                {Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	"graphs":              {Group: "nvidia.com", Version: "v1alpha1", Resource: "dynamographdeployments"},

	"validatingwebhookconfigurations": {Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
}

func client(ts *testscript.TestScript, resource, namespace string) dynamic.ResourceInterface {
	gvr, ok := resources[resource]
	if plural, group, custom := strings.Cut(resource, "."); custom {
		gvr, ok = schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}, true
	}
	if !ok {
		ts.Fatalf("unknown resource %s", resource)
	}
	c, err := dynamic.NewForConfig(shared.Config)
	ts.Check(err)
	if namespace == "-" {
		namespace = ""
	}
	return c.Resource(gvr).Namespace(namespace)
}

func has(ts *testscript.TestScript, neg bool, args []string) {
	object, err := client(ts, args[0], args[1]).Get(context.Background(), args[2], metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		ts.Fatalf("%v", err)
	}
	if there := err == nil && object.GetDeletionTimestamp() == nil; there == neg {
		ts.Fatalf("%s %s/%s: exists is %v", args[0], args[1], args[2], there)
	}
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	c := client(ts, args[0], args[1])
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := c.Get(context.Background(), args[2], metav1.GetOptions{})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s %s/%s: %v", args[0], args[1], args[2], err)
		}
	}
}

func remove(ts *testscript.TestScript, _ bool, args []string) {
	c := client(ts, args[0], args[1])
	ts.Check(c.Delete(context.Background(), args[2], metav1.DeleteOptions{}))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := c.Get(context.Background(), args[2], metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s %s/%s is not gone: %v", args[0], args[1], args[2], err)
		}
	}
}

func merge(ts *testscript.TestScript, _ bool, args []string) {
	_, err := client(ts, args[0], args[1]).Patch(context.Background(), args[2], types.MergePatchType, []byte(args[3]), metav1.PatchOptions{FieldManager: "somebody"})
	ts.Check(err)
}

func scale(ts *testscript.TestScript, _ bool, args []string) {
	_, err := client(ts, "deployments", args[0]).Patch(context.Background(), args[1], types.MergePatchType,
		[]byte(`{"spec":{"replicas":`+args[2]+`}}`), metav1.PatchOptions{FieldManager: "autoscaler"}, "scale")
	ts.Check(err)
}

func create(ts *testscript.TestScript, _ bool, args []string) {
	manager := "somebody"
	if len(args) > 1 {
		manager = args[1]
	}
	for document := range strings.SplitSeq(ts.ReadFile(args[0]), "\n---\n") {
		var object unstructured.Unstructured
		ts.Check(yaml.Unmarshal([]byte(document), &object.Object))
		makeObject(ts, &object, manager)
	}
}

func makeObject(ts *testscript.TestScript, object *unstructured.Unstructured, manager string) {
	resource := strings.ToLower(object.GetKind()) + "s"
	if object.GetKind() == "DynamoGraphDeployment" {
		resource = "graphs"
	}
	if object.GetKind() == "CustomResourceDefinition" {
		resource = "crds"
	}
	if object.GetKind() == "Thing" {
		resource += "." + object.GroupVersionKind().Group
	}
	_, err := client(ts, resource, object.GetNamespace()).Create(context.Background(), object, metav1.CreateOptions{FieldManager: manager})
	ts.Check(err)
}

func private(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode().Perm() != 0o600 {
		ts.Fatalf("%s has mode %s", args[0], info.Mode())
	}
}

// grant takes the YAML documents out of a text, as a person would, and makes the
// namespaces that they are for.
func grant(ts *testscript.TestScript, _ bool, args []string) {
	_, text, found := strings.Cut(ts.ReadFile(args[0]), "\n---\n")
	if !found {
		ts.Fatalf("nothing to apply in %s", args[0])
	}
	text, _, _ = strings.Cut(text, "\nError:")
	for document := range strings.SplitSeq(text, "\n---\n") {
		var object unstructured.Unstructured
		ts.Check(yaml.Unmarshal([]byte(document), &object.Object))
		if namespace := object.GetNamespace(); namespace != "" {
			ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
			_, err := client(ts, "namespaces", "-").Apply(context.Background(), namespace, ns, metav1.ApplyOptions{FieldManager: "somebody", Force: true})
			ts.Check(err)
		}
		makeObject(ts, &object, "somebody")
	}
}

// pending marks a revision as being worked on, in the label and in the record,
// as an interrupted client leaves it.
func pending(ts *testscript.TestScript, _ bool, args []string) {
	kube, err := kubernetes.NewForConfig(shared.Config)
	ts.Check(err)
	secrets := kube.CoreV1().Secrets(args[0])
	name := fmt.Sprintf("sh.helm.release.v1.%s.v%s", args[1], args[2])
	secret, err := secrets.Get(context.Background(), name, metav1.GetOptions{})
	ts.Check(err)
	record, err := decodeRecord(secret.Data["release"])
	ts.Check(err)
	info, ok := record["info"].(map[string]any)
	if !ok {
		ts.Fatalf("record without info")
	}
	info["status"] = "pending-upgrade"
	secret.Labels["status"] = "pending-upgrade"
	secret.Data["release"], err = encodeRecord(record)
	ts.Check(err)
	_, err = secrets.Update(context.Background(), secret, metav1.UpdateOptions{})
	ts.Check(err)
}

// versions writes the resource version of everything a no-change run must not
// touch: what is in the namespaces, the releases' records included, and the CRDs
// that their releases own, with their objects.
func versions(ts *testscript.TestScript, _ bool, args []string) {
	out := map[string]string{}
	kinds := []string{"configmaps", "secrets", "services"}
	crds, err := client(ts, "crds", "-").List(context.Background(), metav1.ListOptions{})
	ts.Check(err)
	for _, crd := range crds.Items {
		if slices.Contains(args[1:], crd.GetAnnotations()["meta.helm.sh/release-namespace"]) {
			out["crds/"+crd.GetName()] = crd.GetResourceVersion()
			kinds = append(kinds, crd.GetName())
		}
	}
	for _, namespace := range args[1:] {
		for _, resource := range kinds {
			list, err := client(ts, resource, namespace).List(context.Background(), metav1.ListOptions{})
			ts.Check(err)
			for _, item := range list.Items {
				out[resource+"/"+namespace+"/"+item.GetName()] = item.GetResourceVersion()
			}
		}
	}
	data, err := json.MarshalIndent(out, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if equal := ts.ReadFile(args[0]) == ts.ReadFile(args[1]); equal == neg {
		ts.Fatalf("same is %v:\n%s\n%s", equal, ts.ReadFile(args[0]), ts.ReadFile(args[1]))
	}
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(client(ts, "namespaces", "-").Delete(context.Background(), args[0], metav1.DeleteOptions{}))
}

func release(ts *testscript.TestScript, _ bool, args []string) {
	merge(ts, false, []string{"configmaps", args[0], "hold", `{"metadata":{"finalizers":null}}`})
}

func execCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func locked(ts *testscript.TestScript, _ bool, args []string) {
	kube, err := kubernetes.NewForConfig(shared.Config)
	ts.Check(err)
	seconds, err := strconv.Atoi(args[2])
	ts.Check(err)
	leases := kube.CoordinationV1().Leases(args[0])
	lease, err := leases.Get(context.Background(), "wheelhouse-"+args[1], metav1.GetOptions{})
	ts.Check(err)
	now := metav1.NowMicro()
	delete(lease.Annotations, "wheelhouse.dev/process")
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To("a dead client"), ptr.To(int32(seconds))
	lease.Spec.AcquireTime, lease.Spec.RenewTime = &now, &now
	_, err = leases.Update(context.Background(), lease, metav1.UpdateOptions{})
	ts.Check(err)
}

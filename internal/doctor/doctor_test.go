package doctor

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// now is when the snapshots of these tests were read.
var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// read makes a snapshot of manifests. Nothing of it is unread.
func read(t *testing.T, manifests string) *Snapshot {
	t.Helper()
	s := &Snapshot{Cluster: "https://test", Now: now, Namespaces: []string{"team"}, Logs: map[Place]string{}, KnownVersion: "1.0.0"}
	for _, text := range strings.Split(manifests, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		data, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		s.add(t, object)
	}
	return s
}

func (s *Snapshot) add(t *testing.T, object runtime.Object) {
	t.Helper()
	switch o := object.(type) {
	case *corev1.Node:
		s.Nodes = append(s.Nodes, *o)
	case *storagev1.StorageClass:
		s.StorageClasses = append(s.StorageClasses, *o)
	case *nodev1.RuntimeClass:
		s.RuntimeClasses = append(s.RuntimeClasses, *o)
	case *admissionv1.ValidatingWebhookConfiguration:
		s.Validating = append(s.Validating, *o)
	case *corev1.Namespace:
		s.Terminating = append(s.Terminating, *o)
	case *corev1.Pod:
		s.Pods = append(s.Pods, *o)
	case *corev1.Event:
		s.Events = append(s.Events, *o)
	case *corev1.PersistentVolumeClaim:
		s.Claims = append(s.Claims, *o)
	case *appsv1.Deployment:
		s.Deployments = append(s.Deployments, *o)
	case *appsv1.StatefulSet:
		s.StatefulSets = append(s.StatefulSets, *o)
	case *appsv1.DaemonSet:
		s.DaemonSets = append(s.DaemonSets, *o)
	case *corev1.Service:
		s.Services = append(s.Services, *o)
	case *discoveryv1.EndpointSlice:
		s.Endpoints = append(s.Endpoints, *o)
	case *networkingv1.NetworkPolicy:
		s.Policies = append(s.Policies, *o)
	case *coordinationv1.Lease:
		s.Leases = append(s.Leases, *o)
	case *rbacv1.RoleBinding:
		s.Bindings = append(s.Bindings, *o)
	case *corev1.ConfigMap:
		s.Configs = append(s.Configs, *o)
	default:
		t.Fatalf("nobody looks at a %T", object)
	}
}

// all are the findings of a diagnosis, with those below others.
func all(findings []Finding) (out []Finding) {
	for _, f := range findings {
		out = append(append(out, f), all(f.Explains)...)
	}
	return out
}

func of(s *Snapshot, check string) (out []Finding) {
	for _, f := range all(Diagnose(s).Findings) {
		if f.Check == check {
			out = append(out, f)
		}
	}
	return out
}

// A check that cannot fail, or that always does, is a defect: each has an example
// of both.
func TestEachCheckFindsItsFaultAndNothingElse(t *testing.T) {
	examples := examples(t)
	for _, c := range Checks() {
		e, has := examples[c.ID]
		if !has {
			t.Errorf("%s has no example", c.ID)
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			bad, good := read(t, e.bad), read(t, e.good)
			if e.worse != nil {
				e.worse(bad)
			}
			if e.better != nil {
				e.better(good)
			}
			found := of(bad, c.ID)
			if len(found) != 1 {
				t.Fatalf("%d findings in the bad example: %+v", len(found), found)
			}
			f := found[0]
			if f.At.String() != e.at || !strings.Contains(f.Seen, e.seen) {
				t.Errorf("found at %s: %s\nwant    at %s: …%s…", f.At, f.Seen, e.at, e.seen)
			}
			if f.Says == "" || len(f.Next) == 0 || f.Page != "docs/troubleshooting.md#"+c.ID {
				t.Errorf("says %q, next %q, page %q", f.Says, f.Next, f.Page)
			}
			if found := of(good, c.ID); len(found) != 0 {
				t.Errorf("found in the good example: %+v", found)
			}
			for _, fact := range c.Needs {
				bad.Unread = []Unread{{Fact: fact, Reason: "no"}}
				if found := of(bad, c.ID); len(found) != 0 {
					t.Errorf("found without %s: %+v", fact, found)
				}
			}
		})
	}
	for id := range examples {
		if !slices.ContainsFunc(Checks(), func(c Check) bool { return c.ID == id }) {
			t.Errorf("there is no check %s", id)
		}
	}
}

// Each check has a heading of its own in the page that a finding names.
func TestEachCheckHasItsHeading(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for line := range strings.Lines(string(text)) {
		if heading, is := strings.CutPrefix(line, "### "); is {
			headings = append(headings, strings.TrimSpace(heading))
		}
	}
	var ids []string
	for _, c := range Checks() {
		ids = append(ids, c.ID)
	}
	if !slices.Equal(headings, ids) {
		t.Errorf("headings %v\nchecks   %v", headings, ids)
	}
}

// The cause is what is told; what it breaks stands below it, level by level.
func TestCausesComeBeforeWhatTheyExplain(t *testing.T) {
	s := read(t, natsWithoutVolume)
	d := Diagnose(s)
	var path []string
	for at := d.Findings; len(at) > 0; at = at[0].Explains {
		if len(at) != 1 {
			t.Errorf("%d findings beside each other: %+v", len(at), at)
		}
		path = append(path, at[0].Check)
	}
	if want := []string{"storage-class-missing", "claim-pending", "pod-not-ready", "workload-not-ready"}; !slices.Equal(path, want) {
		t.Errorf("%v, want %v", path, want)
	}
	if d.Healthy() {
		t.Error("that is no healthy cluster")
	}
}

// What tenants write is shown, and steers nothing.
func TestTextFromOutsideIsOneReadableLine(t *testing.T) {
	s := read(t, strings.ReplaceAll(examples(t)["image-not-pulled"].bad, "unauthorized", `un\x1b[31mauthorized\n\u202ereversed`))
	for _, f := range all(Diagnose(s).Findings) {
		if strings.ContainsAny(f.Seen+f.Says, "\x1b\n\u202e") {
			t.Errorf("%q", f.Seen)
		}
	}
}

// What may not be read is a note; who may read nothing is told so, and that is no
// health.
func TestNotBeingPermittedIsSaid(t *testing.T) {
	s := read(t, "")
	s.Unread = []Unread{{Fact: Nodes, Reason: "you may not"}, {Fact: Releases, Namespace: "team", Reason: "you may not"}}
	d := Diagnose(s)
	if !d.Healthy() || len(d.Findings) != 2 || !d.Findings[0].Note || d.Findings[1].At.Name != "team" {
		t.Errorf("%+v", d)
	}
	s.Unread = append(s.Unread, Unread{Fact: Pods, Namespace: "team", Reason: "you may not"})
	if d := Diagnose(s); d.Healthy() {
		t.Errorf("%+v", d)
	}
}

// Whoever may write into a namespace may have a pod say that DNS is broken: where it
// has pods that are ready, that is the pod's word and no more.
func TestAPodIsNotBelievedAboutTheDNSOfAll(t *testing.T) {
	const (
		service = `{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}}`
		answers = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: kube-dns-x, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}},
  addressType: IPv4, endpoints: [{addresses: [10.0.0.10], conditions: {ready: true}}]}`
		pod = `{apiVersion: v1, kind: Pod, metadata: {name: liar, namespace: team},
  status: {phase: Running, containerStatuses: [{name: main, state: {terminated: {exitCode: 1, message: "lookup nats on 10.0.0.10:53: server misbehaving"}}}]}}`
	)
	found := of(read(t, with(service, answers, pod)), "dns-broken")
	if len(found) != 1 || !strings.Contains(found[0].Says, "pods say") {
		t.Errorf("found %+v", found)
	}
	if found := of(read(t, with(service, pod)), "dns-broken"); len(found) != 1 || !strings.HasPrefix(found[0].Says, "the cluster's DNS does not answer") {
		t.Errorf("without pods behind it: %+v", found)
	}
}

package inplace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u.Object
}

const claims = `volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, creationTimestamp: null}, status: {phase: Pending}, ` +
	`spec: {accessModes: [ReadWriteOnce], volumeMode: Filesystem, storageClassName: fast, resources: {requests: {storage: 1Gi}}}}]`

func TestOf(t *testing.T) {
	wanted := func(size, class string) string {
		return "{volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]" + class + ", resources: {requests: {storage: " + size + "}}}}]}"
	}
	const set, fast = "StatefulSet {replicas: 3, podManagementPolicy: OrderedReady, " + claims + "}", ", storageClassName: fast"
	for name, test := range map[string]struct {
		// live is a kind and its spec, or a kind and what is beside the spec.
		live, desired string
		named         []string
		fields        []string
		// says are parts of what is told, PodsStay as "stay".
		says string
	}{
		"a volume that grows":            {set, wanted("2Gi", fast), nil, []string{"spec.volumeClaimTemplates[data].spec.resources.requests.storage: 1Gi 2Gi"}, "stay; its pods run on"},
		"a volume that shrinks":          {set, wanted("1Mi", fast), nil, []string{"spec.volumeClaimTemplates[data].spec.resources.requests.storage: 1Gi 1Mi"}, "never: a volume does not become smaller"},
		"the same size in other words":   {set, wanted("1024Mi", fast), []string{"spec"}, []string{"spec: map"}, "anew with the volumes that they have"},
		"another storage class":          {set, wanted("1Gi", ", storageClassName: slow"), nil, []string{"spec.volumeClaimTemplates[data].spec.storageClassName: fast slow"}, "stay; volumes that exist stay as they are"},
		"no storage class any more":      {set, wanted("1Gi", ""), nil, []string{"spec.volumeClaimTemplates[data].spec.storageClassName: fast <nil>"}, "stay"},
		"no volume any more":             {set, "{}", nil, []string{"spec.volumeClaimTemplates: [map"}, "its 3 pods are deleted, and made anew"},
		"another name of the volume":     {set, strings.Replace(wanted("1Gi", fast), "data", "files", 1), nil, []string{"spec.volumeClaimTemplates: [map"}, "its 3 pods are deleted"},
		"the order of starts":            {"StatefulSet {podManagementPolicy: Parallel}", "{}", nil, []string{"spec.podManagementPolicy: Parallel OrderedReady"}, "stay"},
		"volumes that go with their set": {"StatefulSet {serviceName: a, persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}", "{serviceName: b}", nil, []string{"spec.serviceName: a b"}, "never: its volumes would be deleted with it"},
		"a selector":                     {"Deployment {replicas: 1, selector: {matchLabels: {app: a}}}", "{selector: {matchLabels: {app: b}}}", nil, []string{"spec.selector.matchLabels.app: a b"}, "its pod is deleted"},
		"a selector with a dot":          {"DaemonSet {selector: {matchLabels: {x.y/z: a, b: c}}}", "{selector: {matchLabels: {b: c}}}", nil, []string{"spec.selector.matchLabels[x.y/z]: a <nil>"}, "its pods are deleted"},
		"the template of a Job":          {"Job {template: {spec: {restartPolicy: Never, dnsPolicy: ClusterFirst, containers: [{name: main, image: a}]}}}", "{template: {spec: {restartPolicy: Never, containers: [{name: main, image: b}]}}}", nil, []string{"spec.template.spec.containers[main].image: a b"}, "runs once more"},
		"a role":                         {"RoleBinding roleRef: {kind: Role, name: a}", "roleRef: {kind: Role, name: b}", nil, []string{"roleRef.name: a b"}, "lack these rights"},
		"an address":                     {"Service {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1]}", "{clusterIP: None}", nil, []string{"spec.clusterIP: 10.0.0.1 None"}, "connections break"},
		"an address that is let go":      {"Service {clusterIP: None, clusterIPs: [None]}", "{}", []string{"spec.clusterIPs[0]"}, []string{"spec.clusterIPs[0]: None <nil>"}, "connections break"},
		"what is immutable":              {"ConfigMap {immutable: true, data: {a: x}}", "{immutable: true, data: {a: z}}", nil, []string{"data.a: x z"}, "until they restart"},
		"a claim":                        {"PersistentVolumeClaim {storageClassName: a}", "{storageClassName: b}", []string{"spec.storageClassName"}, []string{"spec.storageClassName: a b"}, "never: its data would be lost"},
		"a kind that nobody here knows":  {"Chat {model: a}", "{model: b}", []string{"spec.model"}, []string{"spec.model: a b"}, "what it owns goes with it"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, spec, _ := strings.Cut(test.live, " ")
			written := func(spec string) map[string]any {
				switch {
				case kind == "ConfigMap":
					return object(t, "{kind: "+kind+", "+strings.TrimPrefix(spec, "{"))
				case strings.HasPrefix(spec, "{"):
					return object(t, "{kind: "+kind+", spec: "+spec+"}")
				default:
					return object(t, "{kind: "+kind+", "+spec+"}")
				}
			}
			got := Of(written(spec), written(test.desired), test.named...)
			var fields []string
			for i, f := range got.Fields {
				text := strings.TrimSpace(f.Path + ": " + fmt.Sprint(f.Old) + " " + fmt.Sprint(f.New))
				if i < len(test.fields) && strings.HasPrefix(text, test.fields[i]) {
					text = test.fields[i]
				}
				fields = append(fields, text)
			}
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			told := got.Interrupts
			if got.PodsStay {
				told = "stay; " + told
			}
			if got.Never != "" {
				told = "never: " + got.Never
			}
			for part := range strings.SplitSeq(test.says, "; ") {
				if !strings.Contains(told, part) {
					t.Errorf("it tells %q, not %q", told, part)
				}
			}
		})
	}
}

// What is given instead of what cannot change must be what is there, and nothing else.
func TestKept(t *testing.T) {
	live := object(t, "{kind: StatefulSet, spec: {replicas: 1, serviceName: a, "+claims+"}}")
	desired := object(t, "{kind: StatefulSet, spec: {replicas: 2, serviceName: b, podManagementPolicy: Parallel, volumeClaimTemplates: []}}")
	want := object(t, "{kind: StatefulSet, spec: {replicas: 2, serviceName: a, "+claims+"}}")
	if diff := cmp.Diff(want, Kept(live, desired)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if desired["spec"].(map[string]any)["serviceName"] != "b" {
		t.Error("what was desired has changed")
	}
}

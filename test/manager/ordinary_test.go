package manager

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// What we record is what stock Helm records of the same chart and values: the
// chart, its values, the manifest and the notes, at an install and at an
// upgrade. So whoever goes on with Helm finds what he would have left himself.
func TestARecordIsAsFromHelm(t *testing.T) {
	c := cluster.Start(t)
	platform := packageOf(t, "platform")
	fleet := writeFleet(t, "metadata: {name: f}\nspec: {values: [{platform: {nats: {enabled: false}}}], platforms: [{namespace: with-us}]}\n")
	restricted := []string{"-n", "by-helm", "--set", "dynamo-operator.namespaceRestriction.enabled=true,nats.enabled=false"}
	debug := "dynamo-operator.controllerManager.logLevel=debug"
	for revision, do := range [][2]func() (string, error){
		{
			func() (string, error) { return wheelhouse(t, c, "apply", "-f", fleet, "--no-wait") },
			func() (string, error) {
				return stockHelm(t, c, append([]string{"install", "dynamo-platform", platform, "--create-namespace"}, restricted...)...)
			},
		},
		{
			func() (string, error) {
				return wheelhouse(t, c, "apply", "-f", fleet, "--no-wait", "--yes", "--set", "platform."+debug)
			},
			func() (string, error) {
				return stockHelm(t, c, append([]string{"upgrade", "dynamo-platform", platform, "--set", debug}, restricted...)...)
			},
		},
	} {
		for _, one := range do {
			if out, err := one(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		ours, theirs := recordIn(t, c, "with-us", revision+1), recordIn(t, c, "by-helm", revision+1)
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("revision %d (-helm +wheelhouse):\n%s", revision+1, diff)
		}
	}
}

// recordIn reads a revision without what is different each time.
func recordIn(t *testing.T, c *cluster.Cluster, namespace string, revision int) map[string]any {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("sh.helm.release.v1.dynamo-platform.v%d", revision)
	secret, err := kube.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	record, err := decodeRecord(secret.Data["release"])
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	same := eachTime.ReplaceAllString(strings.ReplaceAll(string(text), namespace, "NAMESPACE"), "")
	out := map[string]any{}
	if err := json.Unmarshal([]byte(same), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// eachTime matches when something was done, what a package says of itself, and
// a digest in which the namespace's name is.
var eachTime = regexp.MustCompile(`"\w*(modtime|_deployed)":"[^"]*",?|"wheelhouse.dev/omitted-dependencies":"[^"]*",|checksum/config: \w+`)

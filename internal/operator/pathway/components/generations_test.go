package components

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/pathway"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

func pair(t *testing.T, image string) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	text := strings.ReplaceAll(`
metadata: {name: pair, namespace: team-a}
spec:
  services:
    Frontend: {componentType: frontend, extraPodSpec: {mainContainer: {image: "r:1"}}}
    decode: {componentType: worker, extraPodSpec: {mainContainer: {image: IMAGE, command: [python3, -m, dynamo.vllm]}}}
    prefill: {componentType: prefill, extraPodSpec: {mainContainer: {image: IMAGE, command: [python3, -m, dynamo.vllm]}}}
`, "IMAGE", image)
	if err := yaml.UnmarshalStrict([]byte(text), dgd); err != nil {
		t.Fatal(err)
	}
	return dgd
}

// cluster plays what is applied: it keeps it, and all its pods are ready.
type cluster struct{ objects []client.Object }

// apply asks for the next objects, and says what they are.
func (c *cluster) apply(dgd *v1alpha1.DynamoGraphDeployment, unseen string) string {
	c.objects = next(dgd, config.Default(), pathway.Now{Objects: c.objects, Unseen: unseen})
	var said strings.Builder
	for _, object := range c.objects {
		component := object.(*v1alpha1.DynamoComponentDeployment)
		n := component.Spec.DesiredReplicas()
		component.Status = v1alpha1.DynamoComponentDeploymentStatus{
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionAvailable, Status: metav1.ConditionTrue}},
			Service:    &v1alpha1.ServiceReplicaStatus{Replicas: n, UpdatedReplicas: n, ReadyReplicas: ptr.To(n)},
		}
		fmt.Fprintf(&said, "%s=%d ", component.Name, n)
	}
	return said.String()
}

func said(hashes ...string) string {
	var text strings.Builder
	text.WriteString("pair-frontend=1 ")
	for _, hash := range hashes {
		fmt.Fprintf(&text, "pair-decode%[1]s=1 pair-prefill%[1]s=1 ", hash)
	}
	return text.String()
}

func suffix(dgd *v1alpha1.DynamoGraphDeployment) string {
	return "-" + render.WorkerHash(dgd, render.Current)
}

func TestAGenerationStaysUntilFrontendsSeeTheNext(t *testing.T) {
	one, two := pair(t, "r:1"), pair(t, "r:2")
	c := &cluster{}
	for _, step := range []struct {
		graph  *v1alpha1.DynamoGraphDeployment
		unseen string
		want   string
	}{
		{one, "", said(suffix(one))},
		{two, "", said(suffix(two), suffix(one))},
		{two, "frontend x sees nothing", said(suffix(two), suffix(one))},
		{two, "", said(suffix(two))},
	} {
		if diff := cmp.Diff(step.want, c.apply(step.graph, step.unseen)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	service := seen(c.objects)["decode"]
	if !service.Ready || service.Former != 0 {
		t.Errorf("%+v", service)
	}
}

func TestBothGenerationsAreCounted(t *testing.T) {
	c := &cluster{}
	c.apply(pair(t, "r:1"), "")
	c.apply(pair(t, "r:2"), "")
	service := seen(c.objects)["decode"]
	if service.Ready || service.Former != 1 || service.Status.Replicas != 2 || *service.Status.ReadyReplicas != 2 || service.Status.UpdatedReplicas != 1 {
		t.Errorf("%+v, status %+v", service, service.Status)
	}
	if want := "1 of an earlier spec still serve; of the present one: ready"; service.Message != want || !service.Formed {
		t.Errorf("message %q, want %q", service.Message, want)
	}
	c.apply(pair(t, "r:3"), "")
	if service := seen(c.objects)["decode"]; strings.Count(service.Message, "of an earlier spec") != 1 {
		t.Errorf("of three generations: %+v", service)
	}
}

// TestFrontendsLookIntoGenerationsAsLongAsThereAreAny: the graph's author moves
// the workers elsewhere, where none is yet.
func TestFrontendsLookIntoGenerationsAsLongAsThereAreAny(t *testing.T) {
	with, without := pair(t, "r:1"), pair(t, "r:1")
	without.Spec.Services["decode"].GlobalDynamoNamespace = true
	c := &cluster{}
	c.apply(with, "")
	frontend := func() int {
		return len(c.objects[0].(*v1alpha1.DynamoComponentDeployment).Spec.ExtraPodSpec.MainContainer.Env)
	}
	before := frontend()
	if got := c.apply(without, "not yet"); got != said("", suffix(with)) || frontend() != before {
		t.Errorf("%s, the frontend has %d variables and had %d", got, frontend(), before)
	}
	for range 3 {
		c.apply(without, "")
	}
	if got := c.apply(without, ""); got != said("") || frontend() == before {
		t.Errorf("%s, the frontend has %d variables and had %d", got, frontend(), before)
	}
}

func TestAnEarlierRenderingStaysUntilTheGraphChanges(t *testing.T) {
	c := &cluster{}
	for _, component := range render.Components(pair(t, "r:1"), config.Default(), render.First) {
		c.objects = append(c.objects, component)
	}
	scaled := pair(t, "r:1")
	scaled.Spec.Services["decode"].Replicas = ptr.To[int32](1)
	if got := c.apply(scaled, ""); got != said("") {
		t.Errorf("unchanged: %s", got)
	}
	two := pair(t, "r:2")
	if got := c.apply(two, ""); got != said(suffix(two), "") {
		t.Errorf("changed: %s", got)
	}
	if got := c.apply(two, ""); got != said(suffix(two)) {
		t.Errorf("at the end: %s", got)
	}
	if got := c.apply(pair(t, "r:2"), ""); got != said(suffix(two)) {
		t.Errorf("afterwards: %s", got)
	}
}

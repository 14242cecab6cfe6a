package attacks

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

type service = v1alpha1.DynamoComponentDeploymentSharedSpec

// written are places of a service that reach other objects, their names, or what
// is said of them.
var written = map[string]func(s *service, text string){
	"annotation":     func(s *service, text string) { s.Annotations = map[string]string{"example.com/x": text} },
	"annotation-key": func(s *service, text string) { s.Annotations = map[string]string{text: "x"} },
	"label":          func(s *service, text string) { s.Labels = map[string]string{"example.com/x": text} },
	"variable":       func(s *service, text string) { s.Envs = []corev1.EnvVar{{Name: "X", Value: text}} },
	"variable-name":  func(s *service, text string) { s.Envs = []corev1.EnvVar{{Name: text, Value: "x"}} },
	"secret":         func(s *service, text string) { s.EnvFromSecret = text },
	"image":          func(s *service, text string) { s.ExtraPodSpec.MainContainer.Image = text },
	"argument":       func(s *service, text string) { s.ExtraPodSpec.MainContainer.Args = []string{text} },
	"node-selector": func(s *service, text string) {
		s.ExtraPodSpec.PodSpec = &corev1.PodSpec{NodeSelector: map[string]string{"x": text}}
	},
	"service-account": func(s *service, text string) { s.ExtraPodSpec.PodSpec = &corev1.PodSpec{ServiceAccountName: text} },
	"pod-annotation": func(s *service, text string) {
		s.ExtraPodMetadata = &v1alpha1.ExtraPodMetadata{Annotations: map[string]string{"example.com/x": text}}
	},
	"component-type": func(s *service, text string) { s.ComponentType = text },
}

// TestTheStatusIsWrittenWhateverTheTexts: whatever somebody writes into graphs and
// components, their status says what became of it, in words that a terminal can show.
func TestTheStatusIsWrittenWhateverTheTexts(t *testing.T) {
	a := begin(t)
	namespace := team(t)
	d := dana(t, namespace)
	operate(t, namespace)

	texts := map[string]string{
		"escape": "x\x1b]52;c;aGk=\a", "zero": "x\x00y", "document": "x\n---\nkind: ConfigMap\n", "backwards": "\u202etxt.exe",
		"40k": strings.Repeat("x", 40<<10), "64k": strings.Repeat("\x1b", 64<<10),
	}
	var all []client.Object
	refusals := 0
	for place, write := range written {
		for name, text := range texts {
			spec := &service{ComponentType: "worker", ExtraPodSpec: &v1alpha1.ExtraPodSpec{MainContainer: &corev1.Container{Image: "x"}}}
			write(spec, text)
			graph := &v1alpha1.DynamoGraphDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "g-" + place + "-" + name}}
			graph.Spec.Services = map[string]*service{"S": spec}
			component := &v1alpha1.DynamoComponentDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "c-" + place + "-" + name}}
			component.Spec.DynamoComponentDeploymentSharedSpec = *spec
			for object, author := range map[client.Object]client.Client{graph: d, component: admin(t)} {
				switch err := author.Create(context.Background(), object); {
				case err == nil:
					all = append(all, object)
				case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
					refusals++
				default:
					t.Fatal(err)
				}
			}
		}
	}
	for _, object := range all {
		cluster.Eventually(t, "the status of "+object.GetName(), func() error { return told(admin(t), object) })
	}
	a.came("%d texts refused by the schema; the status of %d graphs and components written", refusals, len(all))
}

// told fails while an object's status says nothing of it as it is, and where it
// says so in what a terminal would obey.
func told(c client.Client, object client.Object) error {
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	var conditions []metav1.Condition
	var generation int64
	switch object := object.(type) {
	case *v1alpha1.DynamoGraphDeployment:
		conditions, generation = object.Status.Conditions, object.Status.ObservedGeneration
	case *v1alpha1.DynamoComponentDeployment:
		conditions, generation = object.Status.Conditions, object.Status.ObservedGeneration
	}
	if len(conditions) == 0 || generation != object.GetGeneration() {
		return fmt.Errorf("generation %d is seen, of %d, with conditions %v", generation, object.GetGeneration(), conditions)
	}
	for _, c := range conditions {
		if i := strings.IndexFunc(c.Message, func(r rune) bool { return !strconv.IsPrint(r) }); i >= 0 {
			return fmt.Errorf("%s: unprintable at %d of %.200q", c.Type, i, c.Message)
		}
	}
	return nil
}

package charts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// A choice is one of the ways to have something: what it is called, its values,
// and the API that the cluster has for it.
type choice struct{ name, values, api string }

// dimensions of the platform. The first five interact, and all of their
// combinations are rendered; the others take turns.
var dimensions = [][]choice{
	{{name: "cluster"}, {name: "namespace", values: `dynamo-operator: {namespaceRestriction: {enabled: true}}`}},
	{
		{name: "self", values: `dynamo-operator: {webhook: {enabled: true, certificateSecret: {wheelhouse: true}}}`},
		{name: "cert-manager", values: `dynamo-operator: {webhook: {certManager: {enabled: true}}}`},
		{name: "external-cert", values: `dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: ` + someAuthority + `}}`},
		{name: "no-webhook", values: `dynamo-operator: {webhook: {enabled: false}}`},
	},
	{{name: "no-grove"}, {name: "grove", values: `grove: {enabled: true}`}, {name: "present-grove", values: `global: {grove: {enabled: true}}`}},
	{{name: "no-kai"}, {name: "kai", values: `kai-scheduler: {enabled: true}`}, {name: "present-kai", values: `global: {kai-scheduler: {enabled: true}}`}},
	{
		{name: "no-monitors"},
		{name: "monitors", values: `dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: true}}}}`},
		{name: "auto-monitors", values: autoMonitors},
		{name: "auto-monitors-and-their-API", values: autoMonitors, api: "monitoring.coreos.com/v1"},
	},
	{{name: "nats", values: `nats: {enabled: true}`}, {name: "external-nats", values: `dynamo-operator: {natsAddr: "nats://bus:4222"}`}, {name: "no-nats"}},
	{{name: "etcd", values: `etcd: {enabled: true}`}, {name: "external-etcd", values: `dynamo-operator: {discoveryBackend: etcd, etcdAddr: "http://etcd:2379"}`}, {name: "no-etcd"}},
	{{name: "one"}, {name: "two", values: `dynamo-operator: {controllerManager: {replicas: 2}}`}},
	{{name: "published"}, {name: "mirrored", values: `
global: {imageRegistry: mirror.example.com/x, image: {registry: mirror.example.com/x}}
dynamo-operator: {controllerManager: {manager: {image: {digest: "sha256:` + strings.Repeat("a", 64) + `"}}}}`}},
	{{name: "dynamo"}, {name: strings.Repeat("r", 53), values: `{nats: {fullnameOverride: nats}, etcd: {fullnameOverride: etcd}}`}},
}

const autoMonitors = `dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: auto}}}, metricsService: {serviceMonitor: {enabled: auto}}}`

const interacting = 5

// combination picks the n-th: how many there are is the product of the interacting dimensions.
func combination(n int) []int {
	picked, sum := make([]int, len(dimensions)), 0
	for i, choices := range dimensions {
		if i < interacting {
			picked[i], n = n%len(choices), n/len(choices)
			sum += picked[i]
			continue
		}
		// The weight keeps the turns of the others apart.
		picked[i] = (sum + picked[i%interacting]*(i-interacting) + picked[(i+1)%interacting]/2) % len(choices)
	}
	return picked
}

func TestEveryModeRenders(t *testing.T) {
	with, total, pairs := complete(t), 1, map[string]bool{}
	page := readFile(t, filepath.Join(repositoryRoot, inventory))
	for _, choices := range dimensions[:interacting] {
		total *= len(choices)
	}
	linter, archive := action.NewLint(), packaged(t, with)
	linter.Strict, linter.Namespace, linter.Quiet = true, "inference", true
	linter.SkipSchemaValidation = true // Each rendering does it.
	for n := range total {
		picked := combination(n)
		caps := chart.OfflineCapabilities()
		values, names := map[string]any{}, []string{}
		for i, p := range picked {
			choice := dimensions[i][p]
			merge(values, parseYAML(t, choice.values))
			names = append(names, choice.name)
			if choice.api != "" {
				caps.APIVersions = append(slices.Clone(caps.APIVersions), choice.api)
			}
			for j := range i {
				pairs[fmt.Sprint(j, picked[j], i, p)] = true
			}
		}
		mode, release := strings.Join(names, "/"), chart.Release{Name: names[len(names)-1], Namespace: "inference"}
		rendered := inOrder(t, with, release, values, caps, mode)
		isLintFree(t, linter, archive, release.Name, values, mode)
		if slices.Contains(names, "namespace") {
			sharesNothing(t, with, release, values, rendered, mode)
		}
		isMirrored(t, rendered, slices.Contains(names, "mirrored"), mode)
		if slices.Contains(names, "published") {
			isListed(t, rendered, page, mode)
		}
		isAsAsked(t, rendered, names, mode)
		if t.Failed() {
			return
		}
	}
	want := 0
	for i := range dimensions {
		for j := range i {
			want += len(dimensions[i]) * len(dimensions[j])
		}
	}
	if len(pairs) != want {
		t.Errorf("%d pairs of choices were rendered, want all %d", len(pairs), want)
	}
	fmt.Printf("%d combinations of the platform's modes, with all %d pairs of choices, render\n", total, want)
}

// inOrder renders twice, and looks at every object.
func inOrder(t *testing.T, c *chart.Chart, release chart.Release, values map[string]any, caps *chart.Capabilities, mode string) *chart.Rendered {
	t.Helper()
	rendered, err := c.Render(release, values, caps)
	if err != nil {
		t.Fatalf("%s: %v", mode, err)
	}
	again, err := c.Render(release, values, caps)
	if err != nil || again.Manifest != rendered.Manifest {
		t.Errorf("%s: rendered twice, it differs (%v)", mode, err)
	}
	for _, hook := range withoutStandIns(rendered).Hooks {
		t.Errorf("%s: %s is a hook", mode, hook)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, o := range withoutStandIns(rendered).Objects {
		_, _, err := decoder.Decode([]byte(o.Content), nil, nil)
		if runtime.IsNotRegisteredError(err) {
			for _, fault := range holdsToItsKind(t, o) {
				t.Errorf("%s: %s: %s", mode, o, fault)
			}
		} else if err != nil {
			t.Errorf("%s: %s: %v", mode, o, err)
		}
		if problems := validation.NameIsDNSSubdomain(o.Name, false); len(problems) > 0 || len(o.Name) > 63 || o.Kind == "StatefulSet" && len(o.Name) > 52 {
			t.Errorf("%s: %s: the name is not valid: %v", mode, o, problems)
		}
		for key, value := range o.Labels {
			if problems := append(utilvalidation.IsQualifiedName(key), utilvalidation.IsValidLabelValue(value)...); len(problems) > 0 {
				t.Errorf("%s: %s: label %s=%s: %v", mode, o, key, value, problems)
			}
		}
	}
	return rendered
}

// withoutStandIns leaves out what is as strange as in the charts of others.
func withoutStandIns(rendered *chart.Rendered) *chart.Rendered {
	ours := *rendered
	strange := func(o chart.Object) bool {
		return strings.Contains(o.Template, "/charts/kai-scheduler/") || strings.Contains(o.Template, "/charts/grove")
	}
	ours.Objects = slices.DeleteFunc(slices.Clone(rendered.Objects), strange)
	ours.Hooks = slices.DeleteFunc(slices.Clone(rendered.Hooks), strange)
	return &ours
}

// isMirrored: every image is pinned, and comes from the mirror if there is one.
func isMirrored(t *testing.T, rendered *chart.Rendered, mirrored bool, mode string) {
	t.Helper()
	images, err := withoutStandIns(rendered).Images()
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		if strings.HasSuffix(image, ":latest") || !strings.ContainsAny(image[strings.LastIndex(image, "/")+1:], ":@") {
			t.Errorf("%s: %s is not pinned", mode, image)
		}
		if mirrored && !strings.HasPrefix(image, "mirror.example.com/x/") {
			t.Errorf("%s: %s does not come from the mirror", mode, image)
		}
	}
}

// isAsAsked: monitors and the use of orchestrators follow their own choices, whatever the others are.
func isAsAsked(t *testing.T, rendered *chart.Rendered, names []string, mode string) {
	t.Helper()
	if got, want := len(monitorsIn(t, rendered)) > 0, slices.Contains(names, "monitors") || slices.Contains(names, "auto-monitors-and-their-API"); got != want {
		t.Errorf("%s: has monitors: %v, want %v", mode, got, want)
	}
	told := operatorConfig(t, rendered).Orchestrators
	if grove, kai := !slices.Contains(names, "no-grove"), !slices.Contains(names, "no-kai"); told.Grove.Enabled != grove || told.KAIScheduler.Enabled != kai {
		t.Errorf("%s: the operator is told of Grove: %v, of KAI: %v", mode, told.Grove.Enabled, told.KAIScheduler.Enabled)
	}
}

// packaged writes a chart as helm lint takes it.
func packaged(t *testing.T, c *chart.Chart) string {
	t.Helper()
	data, err := c.Package()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), c.FileName())
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func isLintFree(t *testing.T, linter *action.Lint, archive, release string, values map[string]any, mode string) {
	t.Helper()
	if found := linter.Run([]string{archive}, values); len(found.Errors) > 0 {
		t.Errorf("%s (%s): helm lint --strict: %v", mode, release, found.Errors)
	}
}

// sharesNothing: what a restricted platform has outside of its namespace has
// another name in a release of the same name in another namespace.
func sharesNothing(t *testing.T, c *chart.Chart, release chart.Release, values map[string]any, rendered *chart.Rendered, mode string) {
	t.Helper()
	other, err := c.Render(chart.Release{Name: release.Name, Namespace: "elsewhere"}, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatalf("%s: %v", mode, err)
	}
	taken := map[string]bool{}
	for _, o := range other.Objects {
		taken[o.String()] = true
	}
	for _, o := range withoutStandIns(rendered).Objects {
		if strings.Contains(o.Template, "operator") && taken[o.String()] {
			t.Errorf("%s: %s belongs to the releases of two namespaces", mode, o)
		}
	}
}

func merge(into, from map[string]any) {
	for key, value := range from {
		if below, ok := into[key].(map[string]any); ok {
			if more, ok := value.(map[string]any); ok {
				merge(below, more)
				continue
			}
		}
		into[key] = value
	}
}

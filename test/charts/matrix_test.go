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

// A choice is one of the ways to have something: what it is called, and its values.
type choice struct{ name, values string }

// dimensions of the platform. The first five interact, and all of their
// combinations are rendered; the others take turns.
var dimensions = [][]choice{
	{{"cluster", ``}, {"namespace", `dynamo-operator: {namespaceRestriction: {enabled: true}}`}},
	{
		{"self", `dynamo-operator: {webhook: {enabled: true}}`}, {"cert-manager", `dynamo-operator: {webhook: {certManager: {enabled: true}}}`},
		{"external-cert", `dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: ` + someAuthority + `}}`},
		{"no-webhook", `dynamo-operator: {webhook: {enabled: false}}`},
	},
	{{"nats", `nats: {enabled: true}`}, {"external-nats", `dynamo-operator: {natsAddr: "nats://bus:4222"}`}, {"no-nats", ``}},
	{
		{"orchestrators", `{grove: {enabled: true}, kai-scheduler: {enabled: true}}`},
		{"present-orchestrators", `global: {grove: {enabled: true}, kai-scheduler: {enabled: true}}`}, {"no-orchestrators", ``},
	},
	{
		{"monitors", `dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: true}}}}`}, {"no-monitors", ``},
		{"auto-monitors", `dynamo-operator: {dynamo: {metrics: {podMonitors: {enabled: auto}}}, metricsService: {serviceMonitor: {enabled: auto}}}`},
	},
	{{"etcd", `etcd: {enabled: true}`}, {"external-etcd", `dynamo-operator: {discoveryBackend: etcd, etcdAddr: "http://etcd:2379"}`}, {"no-etcd", ``}},
	{{"one", ``}, {"two", `dynamo-operator: {controllerManager: {replicas: 2}}`}},
	{{"published", ``}, {"mirrored", `
global: {imageRegistry: mirror.example.com/x, image: {registry: mirror.example.com/x}}
dynamo-operator: {controllerManager: {manager: {image: {digest: "sha256:` + strings.Repeat("a", 64) + `"}}}}`}},
	{{"dynamo", ``}, {strings.Repeat("r", 53), ``}},
}

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
	for _, choices := range dimensions[:interacting] {
		total *= len(choices)
	}
	linter, archive := action.NewLint(), packaged(t, with)
	linter.Strict, linter.Namespace, linter.Quiet = true, "inference", true
	for n := range total {
		picked := combination(n)
		values, names := map[string]any{}, []string{}
		for i, p := range picked {
			merge(values, parseYAML(t, dimensions[i][p].values))
			names = append(names, dimensions[i][p].name)
			for j := range i {
				pairs[fmt.Sprint(j, picked[j], i, p)] = true
			}
		}
		release := chart.Release{Name: names[len(names)-1], Namespace: "inference"}
		rendered := inOrder(t, with, release, values, strings.Join(names, "/"))
		isLintFree(t, linter, archive, release.Name, values, strings.Join(names, "/"))
		if slices.Contains(names, "namespace") {
			sharesNothing(t, with, release, values, rendered, strings.Join(names, "/"))
		}
		isMirrored(t, rendered, slices.Contains(names, "mirrored"), slices.Contains(names, "orchestrators"), strings.Join(names, "/"))
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
func inOrder(t *testing.T, c *chart.Chart, release chart.Release, values map[string]any, mode string) *chart.Rendered {
	t.Helper()
	rendered, err := c.Render(release, values, chart.OfflineCapabilities())
	if err != nil {
		t.Fatalf("%s: %v", mode, err)
	}
	again, err := c.Render(release, values, chart.OfflineCapabilities())
	if err != nil || again.Manifest != rendered.Manifest {
		t.Errorf("%s: rendered twice, it differs (%v)", mode, err)
	}
	if rendered.Hooks != 0 {
		t.Errorf("%s: %d hooks, want none", mode, rendered.Hooks)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, o := range rendered.Objects {
		if _, _, err := decoder.Decode([]byte(o.Content), nil, nil); err != nil && !runtime.IsNotRegisteredError(err) {
			t.Errorf("%s: %s: %v", mode, o, err)
		}
		// Names of third-party charts are theirs: the NATS chart's fit up to 49 characters of a release.
		ours := strings.Contains(o.Template, "operator")
		if problems := validation.NameIsDNSSubdomain(o.Name, false); len(problems) > 0 || ours && len(o.Name) > 63 {
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

// isMirrored: every image is pinned, and comes from the mirror if there is one;
// the orchestrators have keys of their own for that.
func isMirrored(t *testing.T, rendered *chart.Rendered, mirrored, orchestrators bool, mode string) {
	t.Helper()
	images, err := rendered.Images()
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		if strings.HasSuffix(image, ":latest") || !strings.ContainsAny(image[strings.LastIndex(image, "/")+1:], ":@") {
			t.Errorf("%s: %s is not pinned", mode, image)
		}
		if mirrored && !orchestrators && !strings.HasPrefix(image, "mirror.example.com/x/") {
			t.Errorf("%s: %s does not come from the mirror", mode, image)
		}
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
	for _, o := range rendered.Objects {
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

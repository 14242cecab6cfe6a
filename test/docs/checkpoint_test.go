package docs

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

func checkpointPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/checkpointing.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheCheckpointPageNamesTests(t *testing.T) {
	known, named := tests(t), 0
	for _, name := range testName.FindAllStringSubmatch(checkpointPage(t), -1) {
		if named++; !known[name[1]] {
			t.Errorf("%s does not exist", name[1])
		}
	}
	if named < 15 {
		t.Errorf("%d tests are named", named)
	}
}

// oneFile is the fleet file, whatever is read.
type oneFile string

func (f oneFile) Read(string) ([]byte, error) { return []byte(f), nil }
func (oneFile) Glob(string) ([]string, error) { return nil, nil }

// Its examples are a fleet whose engine is on, and a graph that it can have, in both versions.
func TestTheCheckpointPageCanBeCopied(t *testing.T) {
	blocks := example.FindAllStringSubmatch(checkpointPage(t), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	files := oneFile(blocks[0][1])
	f, err := fleet.Load(files, "fleet.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	set, err := fleet.Resolve(f, fleet.Input{Files: files, Profiles: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	engines := 0
	for _, rel := range set.Releases {
		if rel.Chart == fleet.ChartChrek && rel.Namespace == "team-a-platform" && rel.Values.At("engine", "enabled").Plain() == true {
			engines++
		}
	}
	if engines != 1 {
		t.Errorf("%d engines", engines)
	}
	var graphs []*v1alpha1.DynamoGraphDeployment
	for _, block := range blocks[1:] {
		data, err := yaml.YAMLToJSON([]byte(block[1]))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = conversion.Object(data, v1alpha1.GroupVersion.String()); err != nil {
			t.Fatal(err)
		}
		graph := &v1alpha1.DynamoGraphDeployment{}
		if err := yaml.UnmarshalStrict(data, graph); err != nil {
			t.Fatal(err)
		}
		if errs, _ := validate.Graph(graph, config.Default()); len(errs) > 0 || !graph.Spec.Services["Worker"].Checkpoint.Enabled || !strings.HasPrefix(graph.Namespace, "team") {
			t.Errorf("%v", errs.ToAggregate())
		}
		graphs = append(graphs, graph)
	}
	if diff := cmp.Diff(graphs[0].Spec, graphs[1].Spec); diff != "" {
		t.Errorf("the versions differ (-v1beta1 +v1alpha1):\n%s", diff)
	}
}

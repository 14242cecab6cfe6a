package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// everything has every field of a fleet file.
const everything = `
x-mine: {a: &size 1}
apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: inference}
spec:
  profiles: [prod, own.yaml]
  charts: {conversion: a, crds: b, platform: c, chrek: d}
  chartMirrors: {"https://charts.example.com": "oci://mirror.example.com/charts"}
  signatures: [{for: registry.example.com/team, key: keys/team.pub}]
  shared:
    registry: registry.example.com/mirror
    imagePullSecrets: [one]
    checkpoint: {enabled: true, storage: {name: a, basePath: /b, size: 5Gi, class: c, accessMode: ReadWriteMany}}
  history: 5
  leaveFields: ["Deployment/team-a/web:.spec.replicas"]
  crds: {namespace: crds, install: true, conversion: false}
  journal: {namespace: journal}
  clusters: [{context: east}, {context: west, values: {platform: {c: 3}}}]
  values: [values.yaml, {platform: {a: 1}, x-own: 2, crds: null}]
  waves: [first, second]
  platforms:
    - {namespace: a, serves: b, release: own.name, scope: namespace, wave: first, clusters: [east], values: {platform: {b: 2}}}
    - {namespace: c, scope: cluster, checkpoint: {enabled: false, namespaces: [d], storage: {size: 1Gi}}}
  platformsFrom: tenants/*.yaml
`

// rounds are the files that are compared: FLEET_ROUNDS, or few enough for every day.
func rounds(t *testing.T) int {
	t.Helper()
	text, set := os.LookupEnv("FLEET_ROUNDS")
	if !set {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("FLEET_ROUNDS: %v", err)
	}
	return n
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	values := map[string]map[string]any{}
	for _, key := range ChartKeys {
		values[key] = map[string]any{"type": "object"}
	}
	text, err := Schema(values)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("fleet.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// verdicts are what the schema and the decoder say of a file.
func verdicts(t *testing.T, schema *jsonschema.Schema, text []byte) (bySchema, byDecoder error) {
	t.Helper()
	var content any
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	_, byDecoder = Parse("fleet.yaml", text)
	return schema.Validate(instance), byDecoder
}

// An editor that follows the schema and the decoder say the same of a file in
// which something has been changed: a field left out, misspelt, or of another kind.
func TestSchemaAndDecoderAgree(t *testing.T) {
	schema := compiled(t)
	if bySchema, byDecoder := verdicts(t, schema, []byte(everything)); bySchema != nil || byDecoder != nil {
		t.Fatalf("the schema says %v, the decoder says %v", bySchema, byDecoder)
	}
	random := rand.New(rand.NewPCG(1, 2))
	accepted, files := 0, rounds(t)
	for range files {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(everything), &document); err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(2) {
			mutate(t, random, document.Content[0])
		}
		text, err := yaml.Marshal(&document)
		if err != nil {
			t.Fatal(err)
		}
		bySchema, byDecoder := verdicts(t, schema, text)
		if (bySchema == nil) != (byDecoder == nil) {
			t.Fatalf("the schema says: %v\nthe decoder says: %v\n%s", bySchema, byDecoder, text)
		}
		if bySchema == nil {
			accepted++
		}
	}
	if accepted < files/10 || accepted > files*9/10 {
		t.Errorf("of %d files %d are accepted, so the test says little", files, accepted)
	}
}

// mutate changes one node below another.
func mutate(t *testing.T, random *rand.Rand, root *yaml.Node) {
	t.Helper()
	var nodes []*yaml.Node
	var collect func(n *yaml.Node)
	collect = func(n *yaml.Node) {
		nodes = append(nodes, n)
		for i, child := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 { // no keys
				collect(child)
			}
		}
	}
	collect(root)
	node := nodes[random.IntN(len(nodes))]
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return
	}
	switch n := len(node.Content); {
	case node.Kind == yaml.MappingNode && n > 0 && random.IntN(3) > 0:
		key := 2 * random.IntN(n/2)
		switch random.IntN(3) {
		case 0:
			node.Content = append(node.Content[:key:key], node.Content[key+2:]...)
		case 1:
			misspelt := *node.Content[key]
			misspelt.Value += "s"
			node.Content[key] = &misspelt
		default:
			added := fmt.Sprintf("added%d", random.Int())
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: added}, other(t, random))
		}
	case node.Kind == yaml.SequenceNode && random.IntN(2) == 0:
		node.Content = append(node.Content, other(t, random))
	default:
		*node = *other(t, random)
	}
}

// other is a value of some kind.
func other(t *testing.T, random *rand.Rand) *yaml.Node {
	t.Helper()
	texts := []string{"a", "Ab_c", "team-a", "-", "7", "-7", "2.5", "true", "null", `""`, "[]", "{}", "[a]", "{a: b}", "cluster", "https://x.example.com", "[{namespace: z}]", "{platform: {}}"}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(texts[random.IntN(len(texts))]), &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}

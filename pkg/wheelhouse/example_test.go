package wheelhouse_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wheelhouse-dev/wheelhouse/pkg/wheelhouse"
)

// A fleet file is read and checked without a cluster.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "fleet.yaml")
	err = os.WriteFile(file, []byte(`apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: inference}
spec:
  values: {platform: {nats: {enabled: false}}}
  platforms:
    - {namespace: team-a-platform, serves: team-a}
`), 0o600)
	if err != nil {
		panic(err)
	}
	fleet, err := wheelhouse.Load(file, wheelhouse.Options{})
	if err != nil {
		panic(err)
	}
	findings, err := fleet.Validate(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(fleet.Name(), "has", len(findings), "findings")
	for _, release := range fleet.Releases() {
		fmt.Printf("%s/%s of chart %s\n", release.Namespace, release.Name, release.Chart)
	}
	// Output:
	// inference has 0 findings
	// default/dynamo-crds of chart crds
	// team-a-platform/dynamo-platform of chart platform
}

// What rules find wrong has its place in the file.
func ExampleFleet_Validate() {
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "fleet.yaml")
	err = os.WriteFile(file, []byte(`apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: inference}
spec:
  values: {platform: {nats: {enabled: false}, dynamo-operator: {controllerManager: {replica: 2}}}}
  platforms:
    - {namespace: team-a-platform, serves: team-a}
`), 0o600)
	if err != nil {
		panic(err)
	}
	fleet, err := wheelhouse.Load(file, wheelhouse.Options{})
	if err != nil {
		panic(err)
	}
	findings, err := fleet.Validate(context.Background())
	if err != nil {
		panic(err)
	}
	for _, f := range findings {
		fmt.Println(f.Severity, f.Rule, filepath.Base(f.Place), f.Fix)
	}
	// Output:
	// error W-00 fleet.yaml:5:85 did you mean "replicas"?
}

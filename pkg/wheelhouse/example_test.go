package wheelhouse_test

import (
	"context"
	"fmt"
	"log"

	"github.com/wheelhouse-dev/wheelhouse/pkg/wheelhouse"
)

// A fleet file is read without a cluster.
func ExampleLoad() {
	fleet, err := wheelhouse.Load("testdata/fleet.yaml", wheelhouse.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("fleet", fleet.Name())
	for _, release := range fleet.Releases() {
		fmt.Printf("%s/%s of chart %s\n", release.Namespace, release.Name, release.Chart)
	}
	// Output:
	// fleet inference
	// default/dynamo-crds of chart crds
	// team-a-platform/dynamo-platform of chart platform
}

// What rules find wrong has its place in the file.
func ExampleFleet_Validate() {
	for _, file := range []string{"testdata/fleet.yaml", "testdata/misspelt.yaml"} {
		fleet, err := wheelhouse.Load(file, wheelhouse.Options{})
		if err != nil {
			log.Fatal(err)
		}
		findings, err := fleet.Validate(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(file, "has", len(findings), "findings")
		for _, f := range findings {
			fmt.Println(f.Severity, f.Rule, f.Place, f.Fix)
		}
	}
	// Output:
	// testdata/fleet.yaml has 0 findings
	// testdata/misspelt.yaml has 1 findings
	// error W-00 testdata/misspelt.yaml:5:85 did you mean "replicas"?
}

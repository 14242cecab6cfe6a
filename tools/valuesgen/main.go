// Command valuesgen generates, from the commented values.yaml of each chart, the schema by which Helm
// checks values and the table of values in the chart's README.
//
// Run it from the repository's root with: go run -C tools ./valuesgen
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// charts lists the folders of the charts, from the repository's root.
var charts = []string{"charts/crds", "charts/platform", "charts/platform/components/operator", "charts/chrek", "charts/conversion"}

func main() {
	root := flag.String("root", "..", "the repository's root")
	out := flag.String("out", "", "folder to write below, instead of the repository's root")
	flag.Parse()
	if *out == "" {
		*out = *root
	}
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "valuesgen:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	types, err := loadTypes(root)
	if err != nil {
		return err
	}
	for _, chart := range charts {
		if err := generate(types, filepath.Join(root, chart), filepath.Join(out, chart)); err != nil {
			return fmt.Errorf("%s: %w", chart, err)
		}
	}
	return nil
}

// generate writes the schema and the README of one chart.
func generate(types *types, from, to string) error {
	values, err := readValues(filepath.Join(from, "values.yaml"))
	if err != nil {
		return err
	}
	for _, k := range values.all() {
		if folder, ok := k.argument("subchart"); ok {
			if k.subchart, err = readValues(filepath.Join(from, folder, "values.yaml")); err != nil {
				return err
			}
		}
	}
	schema, err := schemaOf(values, types)
	if err != nil {
		return err
	}
	document, err := json.MarshalIndent(schema, "", " ")
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(from, "README.md"))
	if err != nil {
		return err
	}
	table, err := tableOf(values)
	if err != nil {
		return err
	}
	if readme, err = replaceTable(readme, table); err != nil {
		return fmt.Errorf("README.md: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "values.schema.json"), append(document, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "README.md"), readme, 0o644)
}

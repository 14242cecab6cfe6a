package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// writeMutants copies the chart to a folder, with its mutants in place of its suites.
func (c *chart) writeMutants(dir string) error {
	if err := os.CopyFS(dir, os.DirFS(c.folder)); err != nil {
		return err
	}
	tests := filepath.Join(dir, "tests")
	if err := errors.Join(os.RemoveAll(tests), os.Mkdir(tests, 0o755)); err != nil {
		return err
	}
	for _, m := range c.mutants {
		// The name of a suite is the only one that the output has for each test.
		suite := maps.Clone(m.suite)
		suite["suite"] = m.id(numberOf(dir))
		data, err := yaml.Marshal(suite)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tests, fmt.Sprintf("%d_test.yaml", m.number)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// numberOf is the chart's number, which its folder is called after.
func numberOf(dir string) (number int) {
	_, _ = fmt.Sscan(filepath.Base(dir), &number)
	return number
}

// failing runs the mutants of all charts, and lists those that failed.
func failing(ctx context.Context, unittest, dir string, charts int) (map[string]bool, error) {
	report := filepath.Join(dir, "report.xml")
	args := []string{"--output-type", "JUnit", "--output-file", report}
	for number := range charts {
		args = append(args, filepath.Join(dir, fmt.Sprint(number)))
	}
	output, err := exec.CommandContext(ctx, unittest, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	data, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, output)
	}
	var suites struct {
		Suites []struct {
			Name     string `xml:"name,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		return nil, fmt.Errorf("%s: %w", report, err)
	}
	failed := map[string]bool{}
	for _, suite := range suites.Suites {
		failed[suite.Name] = suite.Failures+suite.Errors > 0
	}
	return failed, nil
}

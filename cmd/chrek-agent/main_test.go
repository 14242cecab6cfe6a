package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// execute runs the command line over a configuration whose storage is storage.
func execute(t *testing.T, storage string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	content := fmt.Sprintf(`
apiVersion: chrek.config.dynamo.nvidia.com/v1alpha1
kind: AgentConfiguration
seccomp: {deploy: false}
checkpoint: {basePath: %s}
`, storage)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := command()
	c.SetOut(&out)
	c.SetArgs(append(args, "--config", file))
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestPreflightFailsIfSomethingRequiredIsMissing(t *testing.T) {
	storage := t.TempDir()
	out, err := execute(t, storage, "preflight")
	if err != nil || !strings.Contains(out, storage+" can be written to") {
		t.Errorf("got %v and\n%s", err, out)
	}
	out, err = execute(t, filepath.Join(storage, "missing"), "preflight", "-o", "json")
	if err == nil || !strings.Contains(err.Error(), "required check") {
		t.Errorf("got %v", err)
	}
	var result struct{ Ready bool }
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Ready {
		t.Errorf("%v in %s", err, out)
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for want, args := range map[string][]string{
		`"yaml": must be table or json`: {"preflight", "-o", "yaml"},
		"unknown command":               {"checkpoint"},
		"unknown flag":                  {"--listen"},
	} {
		if _, err := execute(t, t.TempDir(), args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", args, err)
		}
	}
	if _, err := execute(t, "relative"); err == nil || !strings.Contains(err.Error(), "checkpoint.basePath") {
		t.Errorf("a wrong configuration: got %v", err)
	}
}

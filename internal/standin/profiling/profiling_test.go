package profiling

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAGraphIsRecommended(t *testing.T) {
	dir := t.TempDir()
	if err := Run([]string{"--profile-config", "output_dir: " + dir + "\ndeployment: {model: m/x, dgd_image: my/runtime:1}\nengine: {backend: sglang}\n"}); err != nil {
		t.Fatal(err)
	}
	for file, wants := range map[string][]string{
		"config_with_planner.yaml":        {"kind: DynamoGraphDeployment", "kind: ConfigMap", "dynamo.sglang", "my/runtime:1", "m/x"},
		"mocker_config_with_planner.yaml": {"dynamo.mocker"},
		"profiler_status.yaml":            {"status: success"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %q:\n%s", file, want, text)
			}
		}
	}
}

func TestTheBaseGraphIsTaken(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "disagg.yaml")
	if err := os.WriteFile(base, []byte("kind: DynamoGraphDeployment\nmetadata: {name: mine}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run([]string{"--profile-config=output_dir: " + dir + "\ndeployment: {model: m}\nengine: {config: " + base + "}"}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "config_with_planner.yaml")); err != nil || !strings.Contains(string(text), "name: mine") {
		t.Errorf("%s %v", text, err)
	}
}

func TestAProfilerFails(t *testing.T) {
	for args, want := range map[string]string{
		"[":          "--profile-config",
		"engine: {}": "needs deployment.model",
		"deployment: {model: m}\nstandin: {fail: no GPU fits}":           "no GPU fits",
		"deployment: {model: m}\nengine: {config: /nowhere/disagg.yaml}": "engine.config",
		"deployment: {model: m}\noutput_dir: /nowhere":                   "write the results",
	} {
		if err := Run([]string{"--profile-config", args}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// Package manager runs the wheelhouse command against a real API server.
package manager

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

var (
	shared *cluster.Cluster
	// tools is a folder with the binaries that scripts run.
	tools string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wheelhouse-manager-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tools = dir
	for _, program := range []string{"../../cmd/wheelhouse", "../../pkg/wheelhouse/examples/apply", "helm.sh/helm/v4/cmd/helm"} {
		build := exec.CommandContext(context.Background(), "go", "build", "-o", dir+"/", program)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", program, err, out)
			return 1
		}
	}
	return cluster.Main(m, &shared)
}

// Each script has namespaces, a fleet and CRDs of its own; $ID tells them
// apart, so that scripts share one cluster and run side by side.
func TestScripts(t *testing.T) {
	if err := cluster.OpenSources("../.."); err != nil {
		t.Fatal(err)
	}
	charts, err := filepath.Abs("testdata/charts")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
			env.Setenv("ID", name)
			env.Setenv("KUBECONFIG", shared.Kubeconfig)
			env.Setenv("CHARTS", charts)
			env.Setenv("PATH", tools+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			return expandFleets(env, name, charts)
		},
		Cmds: commands(),
	})
}

// expandFleets fills $ID and $CHARTS into the YAML files of a script, those of
// its charts included.
func expandFleets(env *testscript.Env, id, charts string) error {
	fill := strings.NewReplacer("$ID", id, "$CHARTS", charts)
	return filepath.WalkDir(env.WorkDir, func(file string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".yaml" {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(file, []byte(fill.Replace(string(data))), 0o600)
	})
}

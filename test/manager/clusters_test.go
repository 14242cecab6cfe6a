package manager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// One fleet on two clusters, of which each goes on by itself.
func TestSeveralClusters(t *testing.T) {
	charts, err := filepath.Abs("testdata/charts")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := severalContexts(t, map[string]*cluster.Cluster{"east": cluster.Start(t), "west": cluster.Start(t)})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/clusters",
		Setup: func(env *testscript.Env) error {
			name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
			env.Setenv("ID", name)
			env.Setenv("KUBECONFIG", kubeconfig)
			env.Setenv("PATH", tools+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			return expandFleets(env, name, charts)
		},
		Cmds: commands(),
	})
}

// severalContexts writes a kubeconfig with a context for each cluster, of which east is
// the current one, and with one whose cluster does not answer.
func severalContexts(t *testing.T, clusters map[string]*cluster.Cluster) string {
	t.Helper()
	all := api.NewConfig()
	put := func(name string, config *api.Config) {
		from := config.Contexts[config.CurrentContext]
		all.Clusters[name], all.AuthInfos[name] = config.Clusters[from.Cluster], config.AuthInfos[from.AuthInfo]
		all.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	}
	for name, c := range clusters {
		config, err := clientcmd.LoadFromFile(c.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		put(name, config)
	}
	all.CurrentContext = "east"
	gone := all.Clusters["east"].DeepCopy()
	gone.Server = "https://" + cluster.FreeAddress(t)
	all.Clusters["gone"], all.Contexts["gone"] = gone, &api.Context{Cluster: "gone", AuthInfo: "east"}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*all, file); err != nil {
		t.Fatal(err)
	}
	return file
}

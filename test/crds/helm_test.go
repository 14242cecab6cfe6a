package crds

import (
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// testHelmUninstall installs the chart over the definitions that are there, and uninstalls it.
func testHelmUninstall(t *testing.T, server *cluster.Cluster, users client.Client) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &server.Kubeconfig
	helm := action.NewConfiguration()
	if err := helm.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}

	install := action.NewInstall(helm)
	install.ReleaseName, install.Namespace = releaseName, namespace
	install.TakeOwnership, install.ForceConflicts = true, true
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, patience
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := install.Run(chart, nil); err != nil {
		t.Fatal(err)
	}

	uninstall := action.NewUninstall(helm)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, patience
	if _, err := uninstall.Run(releaseName); err != nil {
		t.Fatal(err)
	}
	kept := &apiextensionsv1.CustomResourceDefinitionList{}
	if err := users.List(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if len(kept.Items) != len(kinds) {
		t.Errorf("%d definitions are left after the uninstall, want %d", len(kept.Items), len(kinds))
	}
}

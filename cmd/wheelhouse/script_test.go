package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	helmregistry "helm.sh/helm/v4/pkg/registry"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func TestMain(m *testing.M) {
	run := func() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
	testscript.Main(m, map[string]func(){"wheelhouse": run, "kubectl-wheelhouse": run})
}

// TestOffline runs every command that needs no cluster, as a user types it.
func TestOffline(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"registry": startRegistry, "publish": publish},
	})
}

// startRegistry starts a registry that has the given images (REPOSITORY:TAG)
// and sets $REGISTRY to its address.
func startRegistry(ts *testscript.TestScript, _ bool, images []string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(server.Close)
	for _, image := range images {
		repository, tag, _ := strings.Cut(image, ":")
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, server.URL+"/v2/"+repository+"/manifests/"+tag, strings.NewReader("{}"))
		ts.Check(err)
		request.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		answer, err := http.DefaultClient.Do(request)
		ts.Check(err)
		ts.Check(answer.Body.Close())
		if answer.StatusCode != http.StatusCreated {
			ts.Fatalf("%s: %s", image, answer.Status)
		}
	}
	ts.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
}

// publish pushes our charts (KEY=VERSION) to $REGISTRY/charts, as `helm push` does.
func publish(ts *testscript.TestScript, _ bool, keys []string) {
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(io.Discard))
	ts.Check(err)
	for _, each := range keys {
		key, version, _ := strings.Cut(each, "=")
		ours, err := chart.OpenFS(charts.FS(), key)
		ts.Check(err)
		packed, err := ours.Versioned(version).Package()
		ts.Check(err)
		_, err = client.Push(packed, ts.Getenv("REGISTRY")+"/charts/"+ours.Name()+":"+version)
		ts.Check(err)
	}
}

package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/images"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

const user, password = "team", "opensesame"

// guarded is a registry that asks for a password, and counts what is uploaded.
func guarded(t *testing.T) (host string, uploads *atomic.Int64) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	uploads = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost || r.Method == http.MethodPatch {
			uploads.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), uploads
}

// login leaves credentials as `docker login` does.
func login(t *testing.T, host, password string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("HELM_REGISTRY_CONFIG", filepath.Join(dir, "helm.json"))
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600); err != nil {
		t.Fatal(err)
	}
}

// small is an image whose program is compiled in no time.
var small = images.Image{Name: "small", Package: "cmd/chrek-init", Binary: "/small", Entrypoint: []string{"/small"}, WorkingDir: "/"}

func TestImagesOfAllArchitecturesArePushedOnce(t *testing.T) {
	host, uploads := guarded(t)
	login(t, host, password)
	p := pusher{to: host + "/team", version: "1.0.1"}
	first, err := p.image(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}
	if first.architectures != "amd64,arm64" || uploads.Load() == 0 {
		t.Errorf("%+v after %d uploads", first, uploads.Load())
	}
	sent := uploads.Load()
	again, err := p.image(t.Context(), small)
	if err != nil || again != first || uploads.Load() != sent {
		t.Errorf("pushed again: %+v, %d more uploads, %v", again, uploads.Load()-sent, err)
	}

	reference, err := name.NewDigest(host + "/team/small@" + first.digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range small.Architectures() {
		image, err := index.Image(manifest.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil || config.Architecture != want || manifest.Manifests[i].Platform.Architecture != want {
			t.Errorf("image %d is for %s, listed as %v: %v", i, config.Architecture, manifest.Manifests[i].Platform, err)
		}
	}
}

func TestChartsArePushedAsHelmDoes(t *testing.T) {
	host, _ := guarded(t)
	login(t, host, password)
	done, err := pusher{to: host + "/team", version: "1.0.1"}.chart("crds")
	if err != nil {
		t.Fatal(err)
	}
	if done.reference != "oci://"+host+"/team/charts/dynamo-crds:1.0.1" || !strings.HasPrefix(done.digest, "sha256:") {
		t.Errorf("%+v", done)
	}
}

func TestAWrongPasswordIsSaid(t *testing.T) {
	host, _ := guarded(t)
	login(t, host, "wrong")
	p := pusher{to: host, version: "1.0.1"}
	if _, err := p.image(t.Context(), small); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("image: %v", err)
	}
	if _, err := p.chart("crds"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("chart: %v", err)
	}
}

func TestWhereToPushIsAsked(t *testing.T) {
	for _, to := range []string{"", "https://registry.example.com"} {
		if err := run(t.Context(), to, "1.0.1"); err == nil || !strings.Contains(err.Error(), "make push REGISTRY=") {
			t.Errorf("%q: %v", to, err)
		}
	}
}

// The lines are taken by a fleet as they are, and lead to the images that were pushed.
func TestTheLinesAreThoseOfAFleet(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	var all []pushed
	for _, key := range keys {
		all = append(all, pushed{name: key.image, digest: digest})
	}
	all = append(all, pushed{name: "dynamo-platform", reference: "oci://registry.example.com/team/charts/dynamo-platform:1.0.0", key: "platform"})
	all = append(all, pushed{name: "dynamo-conversion", reference: "oci://registry.example.com/team/charts/dynamo-conversion:1.0.0", digest: "sha256:of-the-chart", key: "conversion"})
	lines := fleetLines("registry.example.com/team", all)
	text := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\n" + lines + "  platforms: [{namespace: a}]\n"
	f, err := fleet.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if named, err := chart.ParseRegistry(f.Charts["platform"].Value); err != nil || named.String() != "dynamo-platform 1.0.0 from oci://registry.example.com/team/charts" {
		t.Errorf("the chart is %s, %v", named, err)
	}
	var said struct {
		Spec struct{ Values []map[string]map[string]any }
	}
	if err := yaml.Unmarshal([]byte(lines), &said); err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		c, err := chart.OpenFS(charts.FS(), key.chart)
		if err != nil {
			t.Fatal(err)
		}
		values := said.Spec.Values[i][key.chart]
		if key.chart == "platform" {
			values["nats"] = map[string]any{"enabled": false} // a chart of somebody else, which is not embedded
		}
		rendered, err := c.Render(chart.Release{Name: c.Name(), Namespace: "a"}, values, chart.OfflineCapabilities())
		if err != nil {
			t.Fatalf("%s: %v", key.chart, err)
		}
		if want := "registry.example.com/team/" + key.image + "@" + digest; !strings.Contains(rendered.Manifest, want) {
			t.Errorf("chart %s does not run %s", key.chart, want)
		}
	}
}

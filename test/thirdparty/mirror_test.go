package thirdparty

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	helmregistry "helm.sh/helm/v4/pkg/registry"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

const upstream = "https://charts.invalid/upstream"

// Everything that is mirrored comes back from the mirror, whatever its form,
// and nothing is asked of upstream: its host does not exist.
func TestMirrorsServeWhatUpstreamDid(t *testing.T) {
	published := packages(t)
	source := repository(t, published)
	f := fetcher(t, chart.Mirror{Upstream: upstream, URL: source.URL})
	l := lock(t, f, dependencies(upstream))
	for i := range l.Charts {
		if l.Charts[i].Repository != upstream {
			t.Errorf("the lock names the mirror %s as upstream", l.Charts[i].Repository)
		}
		// As a lock that was made at upstream itself.
		l.Charts[i].URL = strings.Replace(l.Charts[i].URL, source.URL, upstream, 1)
	}

	_, address := ociRegistry(t)
	folder := t.TempDir()
	for name, to := range map[string]string{"registry": address + "/mirror", "folder": folder} {
		t.Run(name, func(t *testing.T) {
			mapping, err := f.Mirror(t.Context(), l.Charts, to)
			if err != nil {
				t.Fatal(err)
			}
			other := fetcher(t, mapping...)
			pull(t, other, l)
			contents(t, other, l, published)

			fresh := fetcher(t, mapping...)
			contents(t, fresh, lock(t, fresh, dependencies(upstream)), published)
		})
	}
	t.Run("web server on the folder", func(t *testing.T) {
		web := serve(t, fileServer(folder))
		other := fetcher(t, chart.Mirror{Upstream: upstream, URL: web.URL})
		pull(t, other, l)
		contents(t, other, l, published)
		if requests := web.seen(); countOf(requests, "index") > 0 {
			t.Errorf("the index was read although versions are pinned: %q", requests)
		}
	})
	t.Run("charts as sources", func(t *testing.T) {
		other := fetcher(t, chart.Mirror{Upstream: upstream, URL: abs(t, "charts")})
		pull(t, other, l)
		contents(t, other, l, published)
	})
}

func TestTheLongestMirrorWins(t *testing.T) {
	published := packages(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "special", "nats-1.3.2.tgz"), published["nats-1.3.2.tgz"])
	f := fetcher(t,
		chart.Mirror{Upstream: upstream, URL: filepath.Join(dir, "nothing")},
		chart.Mirror{Upstream: upstream + "/nats/", URL: filepath.Join(dir, "special")},
		chart.Mirror{Upstream: upstream + "/nat", URL: filepath.Join(dir, "nothing")},
	)
	contents(t, f, lock(t, f, nats(upstream+"/nats")), published)
}

func TestAMirrorThatLacksAChartIsNamed(t *testing.T) {
	source := repository(t, packages(t))
	l := lock(t, fetcher(t), nats(source.URL))
	source.seen()
	_, err := fetcher(t, chart.Mirror{Upstream: source.URL, URL: t.TempDir()}).Pull(t.Context(), l.Charts)
	wantError(t, err, "nats 1.3.2", "mirrored at", "has no nats-1.3.2.tgz", "wheelhouse deps mirror")
	if requests := source.seen(); len(requests) > 0 {
		t.Errorf("upstream was asked behind the mirror's back: %q", requests)
	}
}

// Stock Helm reads what we push, and we read what it pushes.
func TestRegistriesAreSharedWithHelm(t *testing.T) {
	published := packages(t)
	_, address := ociRegistry(t)
	publish(t, address+"/ours", published)
	f := fetcher(t)
	helm, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP())
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(address, "oci://")
	for name, data := range published {
		tag := strings.TrimSuffix(name, ".tgz")
		for _, known := range fixtures {
			tag = strings.Replace(tag, known+"-", known+":", 1)
		}
		pulled, err := helm.Pull(host + "/ours/" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pulled.Chart.Data, data) {
			t.Errorf("Helm reads another %s than was pushed", tag)
		}
		if _, err := helm.Push(data, host+"/helms/"+tag); err != nil {
			t.Fatal(err)
		}
	}
	contents(t, f, lock(t, f, dependencies(address+"/helms")), published)
}

func TestAWebServerCannotBeAMirrorsTarget(t *testing.T) {
	_, err := fetcher(t).Mirror(t.Context(), nil, "https://charts.example.com")
	wantError(t, err, "mirror to a folder", "oci://")
}

package charts

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/downloader"
	"helm.sh/helm/v4/pkg/getter"
	"helm.sh/helm/v4/pkg/provenance"
	"sigs.k8s.io/yaml"
)

// pinned is when the versions of the dependencies were chosen.
var pinned = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// Chart.lock is what `helm dependency build` downloads. All versions are exact,
// so that it follows from Chart.yaml.
func TestTheLockIsInSync(t *testing.T) {
	const folder = "../../charts/platform"
	var metadata helmchart.Metadata
	if err := yaml.Unmarshal([]byte(readFile(t, folder+"/Chart.yaml")), &metadata); err != nil {
		t.Fatal(err)
	}
	lock, err := yaml.Marshal(lockOf(t, metadata.Dependencies))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(folder+"/Chart.lock", lock, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if readFile(t, folder+"/Chart.lock") != string(lock) {
		t.Error("charts/platform/Chart.lock is stale: run `make golden`")
	}
	acceptedByHelm(t, folder)
}

func lockOf(t *testing.T, wanted []*helmchart.Dependency) helmchart.Lock {
	t.Helper()
	lock := helmchart.Lock{Generated: pinned}
	for _, d := range wanted {
		lock.Dependencies = append(lock.Dependencies, &helmchart.Dependency{Name: d.Name, Repository: d.Repository, Version: d.Version})
	}
	data, err := json.Marshal([2][]*helmchart.Dependency{wanted, lock.Dependencies})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := provenance.Digest(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	lock.Digest = "sha256:" + digest
	return lock
}

// acceptedByHelm: Helm looks whether the lock fits before it misses the
// repositories, which this test does not define.
func acceptedByHelm(t *testing.T, folder string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "platform"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	settings := cli.New()
	manager := downloader.Manager{
		Out: io.Discard, ChartPath: filepath.Join(dir, "platform"), Getters: getter.All(settings),
		RepositoryConfig: filepath.Join(dir, "repositories.yaml"), RepositoryCache: dir, ContentCache: dir,
	}
	if err := manager.Build(); err == nil || !strings.Contains(err.Error(), "no repository definition for https://nats-io.github.io/k8s/helm/charts/") {
		t.Errorf("helm dependency build: %v", err)
	}
}

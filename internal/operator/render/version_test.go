package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestEarlierVersionsStayAsTheyWere: what is in testdata/versions was written by
// the releases that rendered by that version, and is never written again. A
// difference would restart the pods of every graph that runs.
func TestEarlierVersionsStayAsTheyWere(t *testing.T) {
	for version := First; version < Current; version++ {
		folder := filepath.Join("testdata", "versions", fmt.Sprint(int(version)))
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", folder, err)
		}
		for _, file := range files {
			graph, err := os.ReadFile(filepath.Join("testdata", filepath.Base(file)))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(renderDocuments(t, parseGraph(t, graph), version))); diff != "" {
				t.Errorf("%s -want +got:\n%s", file, diff)
			}
		}
	}
}

// TestEarlierVersionsOfSamples does so for the graphs in the folder that the
// environment variable SAMPLES names, of which only digests are kept here.
func TestEarlierVersionsOfSamples(t *testing.T) {
	samples := os.Getenv("SAMPLES")
	if samples == "" {
		return
	}
	for version := First; version < Current; version++ {
		list := filepath.Join("testdata", "versions", fmt.Sprint(int(version)), "samples.txt")
		data, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		digests := map[string]string{}
		for line := range strings.Lines(string(data)) {
			name, digest, _ := strings.Cut(strings.TrimSpace(line), " ")
			digests[name] = digest
		}
		files, err := filepath.Glob(filepath.Join(samples, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no graphs in %s: %v", samples, err)
		}
		for _, file := range files {
			for _, dgd := range graphsIn(t, file) {
				for _, dcd := range Components(dgd, testConfig(), version) {
					rendered, err := Component(owned(dgd, dcd), testConfig())
					if err != nil {
						t.Fatal(err)
					}
					pods, err := yaml.Marshal(rendered.pods())
					if err != nil {
						t.Fatal(err)
					}
					sum := sha256.Sum256(pods)
					name := filepath.Base(file) + "/" + dcd.Name
					if want, known := digests[name]; known && want != hex.EncodeToString(sum[:]) {
						t.Errorf("%s is not as version %d was:\n%s", name, version, pods)
					}
				}
			}
		}
	}
}

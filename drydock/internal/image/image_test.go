package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFullName(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	tests := []struct{ name, want string }{
		{"busybox", "docker.io/library/busybox:latest"},
		{"busybox:1.36", "docker.io/library/busybox:1.36"},
		{"team/tool:1", "docker.io/team/tool:1"},
		{"nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.7.1", "nvcr.io/nvidia/ai-dynamo/vllm-runtime:0.7.1"},
		{"localhost/tool", "localhost/tool:latest"},
		{"registry:5000/tool", "registry:5000/tool:latest"},
		{"ghcr.io/team/tool" + digest, "ghcr.io/team/tool" + digest},
	}
	for _, test := range tests {
		if got, err := FullName(test.name); err != nil || got != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.name, got, err, test.want)
		}
	}
	for _, wrong := range []string{"", "-x", "Tool:1", "a b", "tool:", "--force"} {
		if got, err := FullName(wrong); err == nil {
			t.Errorf("%q: got %q; want an error", wrong, got)
		}
	}
}

func TestWriteArchiveIsReproducibleAndComplete(t *testing.T) {
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := WriteArchive(out, "drydock.local/pause:1", "/pause", []byte("program")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same input made different archives")
	}
	files := readTar(t, &first)
	var manifest []struct {
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest[0].RepoTags[0] != "drydock.local/pause:1" {
		t.Errorf("named %v", manifest[0].RepoTags)
	}
	layer := readTar(t, bytes.NewReader(files[manifest[0].Layers[0]]))
	if string(layer["pause"]) != "program" {
		t.Errorf("the layer has %v", layer)
	}
}

func readTar(t *testing.T, in io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

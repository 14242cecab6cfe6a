// Package image makes and names container images.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
)

type file struct {
	name    string
	content []byte
	mode    int64
}

// WriteArchive writes a docker archive of an image whose only file is the program, under the given name. Same input, same bytes.
func WriteArchive(out io.Writer, name, entrypoint string, program []byte) error {
	var layer bytes.Buffer
	if err := writeTar(&layer, file{entrypoint[1:], program, 0o755}); err != nil {
		return err
	}
	digest := sha256.Sum256(layer.Bytes())
	configuration, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{entrypoint}, "User": "65535:65535"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	return writeTar(out, file{"config.json", configuration, 0o644}, file{"layer.tar", layer.Bytes(), 0o644}, file{"manifest.json", manifest, 0o644})
}

func writeTar(out io.Writer, files ...file) error {
	archive := tar.NewWriter(out)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Format: tar.FormatUSTAR}); err != nil {
			return fmt.Errorf("archiving %s: %w", f.name, err)
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// Package artifact is a stored checkpoint: a folder of files, of which the manifest
// is written last. It is there whole or not at all, and every file is what was stored.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Format is the version of what Manifest says.
const Format = 1

const manifestName = "manifest.json"

// Manifest describes a checkpoint.
type Manifest struct {
	Format    int       `json:"format"`
	Namespace string    `json:"namespace"`
	ID        string    `json:"id"`
	Pod       string    `json:"pod"`
	Container string    `json:"container"`
	Node      string    `json:"node"`
	Taken     time.Time `json:"taken"`
	// Frozen is how long the process stood still, in milliseconds.
	Frozen int64 `json:"frozenMilliseconds"`

	Facts Facts `json:"facts"`
	// Output are the pipes that the process writes to, by its file descriptors 1 and 2.
	Output map[int]string `json:"output,omitempty"`
	// Layers are the archives of files, by the mount that they are of.
	Layers []Layer         `json:"layers"`
	Files  map[string]File `json:"files"`
}

// Layer is an archive of the files of one mount.
type Layer struct {
	Point string `json:"point"` // "/": the changes of the image's files
	File  string `json:"file"`
}

// File is what a file of the artifact must be.
type File struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// sealed is the file: the manifest's bytes with their digest.
type sealed struct {
	SHA256   string          `json:"sha256"`
	Manifest json.RawMessage `json:"manifest"`
}

// encode writes a manifest with its digest.
func encode(m *Manifest) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return json.Marshal(sealed{hex.EncodeToString(sum[:]), text})
}

// decode reads a manifest and holds it against its digest.
func decode(data []byte) (*Manifest, error) {
	var s sealed
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	sum := sha256.Sum256(s.Manifest)
	if hex.EncodeToString(sum[:]) != s.SHA256 {
		return nil, errors.New(manifestName + " is not what was stored")
	}
	m := &Manifest{}
	if err := json.Unmarshal(s.Manifest, m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != Format {
		return nil, fmt.Errorf("%s is of format %d, and this agent reads %d", manifestName, m.Format, Format)
	}
	for name := range m.Files {
		if name != path.Base(name) || strings.HasPrefix(name, ".") || name == manifestName {
			return nil, fmt.Errorf("%s names a file %q, which no artifact has", manifestName, name)
		}
	}
	for _, layer := range m.Layers {
		if _, known := m.Files[layer.File]; !known {
			return nil, fmt.Errorf("%s has a layer in %q, which is no file of it", manifestName, layer.File)
		}
	}
	return m, nil
}

//go:build e2e

package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rewrite changes a manifest, as nobody can who has no right to the storage.
func rewrite(t *testing.T, id string, change func(string) string) {
	t.Helper()
	path := filepath.Join(store, team, id, "manifest.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sealed struct {
		SHA256   string          `json:"sha256"`
		Manifest json.RawMessage `json:"manifest"`
	}
	if err := json.Unmarshal(data, &sealed); err != nil {
		t.Fatal(err)
	}
	sealed.Manifest = json.RawMessage(change(string(sealed.Manifest)))
	sealed.SHA256 = digest(sealed.Manifest)
	if data, err = json.Marshal(sealed); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// spoil cuts a file that CRIU needs, and makes the manifest agree.
func spoil(t *testing.T, id string) {
	t.Helper()
	path := filepath.Join(store, team, id, "pstree.img")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := append([]byte(nil), before...)
	for i := 8; i < len(after); i++ {
		after[i] ^= 0x55
	}
	if err := os.WriteFile(path, after, 0o600); err != nil {
		t.Fatal(err)
	}
	rewrite(t, id, func(text string) string { return strings.Replace(text, digest(before), digest(after), 1) })
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

package fleet

import (
	"os"
	"path/filepath"
)

// Disk reads files from the host's file system.
type Disk struct{}

var _ Files = Disk{}

// Read returns a file's content.
func (Disk) Read(path string) ([]byte, error) { return os.ReadFile(path) }

// Glob lists the files that match a pattern, in lexical order.
func (Disk) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }

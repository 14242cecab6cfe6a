package state

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// RequireSpace fails when the file system that dir is on, or will be made on, has less than the needed bytes free.
func RequireSpace(dir string, needed uint64, purpose string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("looking how much space %s has: %w", dir, err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < needed {
		return fmt.Errorf("%s has %d MiB free, and %s takes %d MiB; free some space or choose another place with --state DIR",
			dir, free>>20, purpose, needed>>20)
	}
	return nil
}

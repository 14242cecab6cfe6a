// Package seccomp holds the profile that checkpointed pods run with, and puts
// it where a node's kubelet looks for it.
//
// The profile blocks io_uring, which CRIU cannot dump, and nothing else.
// Programs are told ENOSYS (38), as by a kernel without io_uring, because that
// is what they know how to work around; EPERM makes some of them give up.
package seccomp

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Name is the profile's path below the kubelet's seccomp folder, and what a
// pod gives as securityContext.seccompProfile.localhostProfile.
const Name = "profiles/block-iouring.json"

//go:embed block-iouring.json
var profile []byte

// Verify reports whether the profile lies in the kubelet's seccomp folder. The
// error says what is wrong.
func Verify(folder string) error {
	found, err := os.ReadFile(filepath.Join(folder, Name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing", Name)
	case err != nil:
		return err
	case !bytes.Equal(found, profile):
		return fmt.Errorf("%s is not the profile of this version", Name)
	}
	return nil
}

// Install puts the profile into the kubelet's seccomp folder. A container that
// starts meanwhile sees the old profile or the new one, never a part of it. A
// profile that is in place is left alone.
func Install(folder string) error {
	if Verify(folder) == nil {
		return nil
	}
	if err := write(filepath.Join(folder, Name)); err != nil {
		return fmt.Errorf("install the seccomp profile: %w", err)
	}
	return nil
}

func write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".block-iouring-*")
	if err != nil {
		return err
	}
	if err := fill(temp); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return os.Rename(temp.Name(), path)
}

func fill(file *os.File) error {
	_, err := file.Write(profile)
	return errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
}

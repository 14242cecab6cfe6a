package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/node"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// makeMountPoints makes the folders that nodes mount over and remembers those that the host lacked.
func (m *Manager) makeMountPoints() error {
	release, err := state.Acquire(m.State.Lock(), func() {})
	if err != nil {
		return err
	}
	defer release()
	known, err := m.knownMountPoints()
	if err != nil {
		return err
	}
	made, err := node.MakeMountPoints()
	for _, path := range made {
		if !slices.Contains(known, path) {
			known = append(known, path)
		}
	}
	return errors.Join(err, m.saveMountPoints(known))
}

// removeMountPoints removes the folders that no node needs any more.
func (m *Manager) removeMountPoints() error {
	release, err := state.Acquire(m.State.Lock(), func() {})
	if err != nil {
		return err
	}
	defer release()
	known, err := m.knownMountPoints()
	if err != nil {
		return err
	}
	kept, err := node.RemoveMountPoints(known)
	return errors.Join(err, m.saveMountPoints(kept))
}

func (m *Manager) knownMountPoints() ([]string, error) {
	content, err := os.ReadFile(m.State.MountPoints())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return strings.Fields(string(content)), nil
}

func (m *Manager) saveMountPoints(paths []string) error {
	if len(paths) == 0 {
		if err := os.Remove(m.State.MountPoints()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	slices.Sort(paths) // parents before children
	return state.WriteFile(m.State.MountPoints(), []byte(fmt.Sprintln(strings.Join(paths, "\n"))), 0o644)
}

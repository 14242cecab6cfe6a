package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/image"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/packages"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/process"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// Load imports the images in an OCI or docker archive into the named cluster's node and returns all names they have there.
// Further names may look like a public registry's: pods that use them with imagePullPolicy IfNotPresent or Never get this image.
func (m *Manager) Load(ctx context.Context, name, archive string, further []string) ([]string, error) {
	names, err := fullNames(further)
	if err != nil {
		return nil, err
	}
	cluster, record, err := m.Existing(name)
	if err != nil {
		return nil, err
	}
	if record.APIOnly {
		return nil, fmt.Errorf("cluster %s has no node to load images into: it is --api-only", name)
	}
	input, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = input.Close() }()
	runtime, err := packages.Ensure(ctx, m.State.Packages(), m.Report)
	if err != nil {
		return nil, err
	}
	store := imageStore{cluster, runtime}
	imported, err := store.importArchive(ctx, input, names)
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", archive, err)
	}
	for _, further := range names {
		if further == imported[0] {
			continue
		}
		if _, err := store.ctr(ctx, nil, "images", "tag", "--force", imported[0], further); err != nil {
			return nil, fmt.Errorf("naming the image %s: %w", further, err)
		}
		imported = append(imported, further)
	}
	return imported, nil
}

func fullNames(names []string) ([]string, error) {
	var full []string
	for _, name := range names {
		complete, err := image.FullName(name)
		if err != nil {
			return nil, err
		}
		full = append(full, complete)
	}
	return full, nil
}

// imageStore is the node's containerd, reached through the mount namespace that its socket is in.
type imageStore struct {
	cluster state.Cluster
	runtime packages.Runtime
}

var unpackedImage = regexp.MustCompile(`(?m)^unpacking (\S+)`)

// importArchive returns the names of the images in the archive. When they have none, the archive's index gets the first fallback.
func (s imageStore) importArchive(ctx context.Context, input io.ReadSeeker, fallbacks []string) ([]string, error) {
	names, err := s.importAs(ctx, input)
	if err != nil || len(names) > 0 {
		return names, err
	}
	if len(fallbacks) == 0 {
		return nil, errors.New("it names no image; pass a name with --as")
	}
	if _, err := input.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	names, err = s.importAs(ctx, input, "--index-name", fallbacks[0])
	if err == nil && len(names) == 0 {
		err = errors.New("it contains no image for this machine")
	}
	return names, err
}

func (s imageStore) importAs(ctx context.Context, input io.Reader, options ...string) ([]string, error) {
	output, err := s.ctr(ctx, input, append(append([]string{"images", "import"}, options...), "-")...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, match := range unpackedImage.FindAllSubmatch(output, -1) {
		names = append(names, string(match[1]))
	}
	return names, nil
}

func (s imageStore) ctr(ctx context.Context, input io.Reader, args ...string) ([]byte, error) {
	containerd, running := process.Read(s.cluster.PIDFile("containerd"))
	if !running {
		return nil, fmt.Errorf("the node's containerd does not run; repair the cluster with: drydock up%s", flags(s.cluster))
	}
	enter := []string{"--target", strconv.Itoa(containerd.PID), "--mount", s.runtime.Ctr, "--address", config.ContainerdSocket, "--namespace", "k8s.io"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Env = append(os.Environ(), s.runtime.Env...)
	cmd.Stdin = input
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(output))
	}
	return output, nil
}
